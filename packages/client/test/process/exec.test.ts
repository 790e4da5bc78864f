import { AgentOs } from "@agentos/client";
import { AgentOsError, encodeFrame, FRAME_KIND } from "@agentos/protocol";
import { expect, test } from "vitest";

import { ScriptedWorld } from "../scripted-world.ts";
import { acksOf, exitOf, err, out } from "../scripted-process.ts";

const world = ScriptedWorld.use();

test("a small exec is one request, one answer and one release: nothing is acknowledged", async () => {
  const [os, server] = await world.start((connection) => ({
    "process.exec": ({ processId, stream, argv }) => {
      expect(argv).toEqual(["/bin/sh", "-c", "echo hi"]);
      out(connection, stream, 0, "hi\n");
      err(connection, stream, 0, "oh\n");
      return exitOf(processId, { exitCode: 3, stdoutBytes: 3, stderrBytes: 3 });
    },
  }));
  const before = server.requests.length;
  expect(await os.exec("echo hi")).toEqual({
    exitCode: 3,
    signal: null,
    outcome: "exited",
    stdout: "hi\n",
    stderr: "oh\n",
    truncated: false,
    channels: { stdout: { bytes: 3, open: false }, stderr: { bytes: 3, open: false } },
    durationMs: 1,
  });
  await os.info();
  expect(server.requests.slice(before)).toEqual(["process.exec", "vm.info"]);
  const frames = server.connections[0]?.frames.map(({ kind }) => kind);
  expect(frames).toEqual([FRAME_KIND.release]);
});

test("output that its end speaks of is waited for, and what comes later is dropped", async () => {
  const [os] = await world.start((connection) => ({
    "process.exec": ({ processId, stream }) => {
      setTimeout(() => out(connection, stream, 0, "late"), 20);
      setTimeout(() => out(connection, stream, 4, "r and more"), 30);
      return exitOf(processId, { stdoutBytes: 5, stdoutOpen: true });
    },
  }));
  expect((await os.exec(["x"])).stdout.slice(0, 5)).toBe("later");
});

test("a large output is acknowledged half a window at a time, kept up to the bound and heard in full", async () => {
  const chunk = new Uint8Array(64 * 1024).fill(0x78);
  const [os, server] = await world.start((connection) => ({
    "process.exec": async ({ processId, stream }) => {
      const window = 256 * 1024;
      let acknowledged = 0;
      let wake: (() => void) | undefined;
      connection.onFrame = ({ offset }) => ((acknowledged = offset), wake?.());
      for (let sent = 0; sent < 2 * 1024 * 1024; sent += chunk.length) {
        while (sent + chunk.length - acknowledged > window)
          await new Promise<void>((resolve) => (wake = resolve));
        out(connection, stream, sent, chunk);
      }
      return exitOf(processId, { stdoutBytes: 2 * 1024 * 1024 });
    },
  }));
  let heard = 0;
  const result = await os.exec(["x"], {
    maxOutputBytes: 1000,
    onStdout: (text) => (heard += text.length),
  });
  expect(result).toMatchObject({ exitCode: 0, truncated: true, stdout: "x".repeat(1000) });
  expect(heard).toBe(2 * 1024 * 1024);
  // What was sent before this request has arrived when it is answered.
  await os.info();
  const [connection] = server.connections;
  expect(connection === undefined ? [] : acksOf(connection)).toEqual(
    Array.from({ length: 16 }, (_, index) => (index + 1) * 128 * 1024),
  );
});

test("text is decoded across frames, cut at a whole character, and given as bytes where asked", async () => {
  const bytes = Buffer.from("aé😀b");
  const [os] = await world.start((connection) => ({
    "process.exec": ({ processId, stream }) => {
      for (let at = 0; at < bytes.length; at += 1)
        out(connection, stream, at, bytes.subarray(at, at + 1));
      return exitOf(processId, { stdoutBytes: bytes.length });
    },
  }));
  const heard: string[] = [];
  expect((await os.exec("x", { onStdout: (text) => heard.push(text) })).stdout).toBe("aé😀b");
  expect(heard).toEqual(["a", "é", "😀", "b"]);
  expect(await os.exec("x", { maxOutputBytes: 5 })).toMatchObject({
    stdout: "aé",
    truncated: true,
  });
  const heardBytes: Uint8Array[] = [];
  const { stdout } = await os.exec("x", {
    encoding: "buffer",
    onStdout: (piece) => heardBytes.push(piece),
  });
  expect([Buffer.from(stdout), Buffer.concat(heardBytes)]).toEqual([bytes, bytes]);
});

async function* pieces(): AsyncGenerator<string> {
  yield "abc";
  yield "def";
}

test("stdin is sent within its window, then ended, from any kind of source", async () => {
  const [os] = await world.start((connection) => ({
    "process.exec": async ({ processId, stream, stdin }) => {
      expect(stdin).toBe("pipe");
      const taken: Uint8Array[] = [];
      let bytes = 0;
      const ended = new Promise<void>((resolve) => {
        connection.onFrame = ({ kind, offset, payload }) => {
          if (kind === FRAME_KIND.eofIn) return resolve();
          // The exec before is over.
          if (kind === FRAME_KIND.release) return;
          expect(offset).toBe(bytes);
          taken.push(payload);
          bytes += payload.byteLength;
          connection.peer.sendFrame(encodeFrame(FRAME_KIND.inAck, stream, bytes));
        };
      });
      await ended;
      const text = `${bytes} ${Buffer.concat(taken).toString().slice(0, 3)}`;
      out(connection, stream, 0, text);
      return exitOf(processId, { stdoutBytes: text.length });
    },
  }));
  const text = "abc".repeat(300_000);
  expect((await os.exec("x", { stdin: text })).stdout).toBe("900000 abc");
  expect((await os.exec("x", { stdin: Buffer.from("abcd") })).stdout).toBe("4 abc");
  expect((await os.exec("x", { stdin: pieces() })).stdout).toBe("6 abc");
  expect((await os.exec("x", { stdin: new Blob(["abcde"]).stream() })).stdout).toBe("5 abc");
  expect((await os.exec("x", { stdin: "" })).stdout).toBe("0 ");
});

test("a command that ends does not wait for a source that never does", async () => {
  const [os] = await world.start(() => ({ "process.exec": ({ processId }) => exitOf(processId) }));
  let cancelled = false;
  const never = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) });
  expect((await os.exec("x", { stdin: never })).exitCode).toBe(0);
  await os.info();
  expect(cancelled).toBe(true);
});

test("an abort kills the session and the outcome is cancelled; before the start nothing is started", async () => {
  const signals: object[] = [];
  const [os, server] = await world.start((connection) => {
    const killed = Promise.withResolvers<void>();
    return {
      "process.exec": async ({ processId, stream }) => {
        out(connection, stream, 0, "begun");
        await killed.promise;
        return exitOf(processId, {
          exitCode: null,
          signal: "SIGKILL",
          outcome: "signaled",
          stdoutBytes: 5,
        });
      },
      "process.signal": ({ signal, scope }) => {
        signals.push({ signal, scope });
        killed.resolve();
        return {};
      },
    };
  });
  const controller = new AbortController();
  const result = await os.exec("x", {
    signal: controller.signal,
    onStdout: () => controller.abort(),
  });
  expect(result).toMatchObject({
    exitCode: null,
    signal: "SIGKILL",
    outcome: "cancelled",
    stdout: "begun",
  });
  expect(signals).toEqual([{ signal: "SIGKILL", scope: "session" }]);
  const before = server.requests.length;
  expect(await os.exec("x", { signal: AbortSignal.abort() })).toMatchObject({
    exitCode: null,
    outcome: "cancelled",
    stdout: "",
  });
  expect(server.requests.length).toBe(before);
});

test("a process that exits by itself while it is aborted keeps its own end", async () => {
  const [os] = await world.start(() => ({
    "process.exec": async ({ processId }, { signal }) => {
      await new Promise((resolve) => setTimeout(resolve, 20, signal));
      return exitOf(processId, { exitCode: 7 });
    },
    "process.signal": () => ({}),
  }));
  const controller = new AbortController();
  const pending = os.exec("x", { signal: controller.signal });
  setImmediate(() => controller.abort());
  expect(await pending).toMatchObject({ exitCode: 7, outcome: "exited" });
});

const listener = (): void => {
  throw new RangeError("mine");
};

test("a listener that throws ends the command, and its error is the caller's", async () => {
  const [os] = await world.start((connection) => {
    const killed = Promise.withResolvers<void>();
    return {
      "process.exec": async ({ processId, stream }) => {
        out(connection, stream, 0, "x");
        await killed.promise;
        return exitOf(processId, {
          exitCode: null,
          signal: "SIGKILL",
          outcome: "signaled",
          stdoutBytes: 1,
        });
      },
      "process.signal": () => (killed.resolve(), {}),
    };
  });
  await expect(os.exec("x", { onStdout: listener })).rejects.toThrow(new RangeError("mine"));
});

test("typed errors of the start, and of the VM's end, are the caller's", async () => {
  const [os, server] = await world.start(() => ({
    "process.exec": ({ argv }) => {
      if (argv[0] === "gone") return new Promise<never>(() => {});
      throw new AgentOsError("COMMAND_NOT_FOUND", "no-such: command not found", {
        command: "no-such",
        exitCode: 127,
      });
    },
  }));
  const before = server.requests.length;
  await expect(os.exec(["no-such"])).rejects.toMatchObject({
    code: "COMMAND_NOT_FOUND",
    details: { exitCode: 127 },
  });
  const pending = os.exec(["gone"]);
  pending.catch(() => undefined);
  await os.info();
  expect(server.requests.slice(before)).toEqual(["process.exec", "process.exec", "vm.info"]);
  server.connections[0]?.peer.emit("vm.ended", {
    vmId: os.id,
    reason: "died",
    detail: "out of memory",
  });
  await expect(pending).rejects.toMatchObject({ code: "VM_ENDED", details: { reason: "died" } });
  await expect(os.exec("x")).rejects.toMatchObject({ code: "VM_ENDED" });
});

test("a gap in the output is an error, never a result", async () => {
  const [os] = await world.start((connection) => ({
    "process.exec": ({ processId, stream }) => {
      out(connection, stream, 0, "ab");
      out(connection, stream, 3, "d");
      return exitOf(processId, { stdoutBytes: 4 });
    },
    "process.signal": () => ({}),
  }));
  await expect(os.exec("x")).rejects.toMatchObject({
    code: "PROTOCOL_ERROR",
    message: "expected bytes at offset 2, got 3",
  });
});

test("a takeover fences the old holder, and its own dispose is quiet", async () => {
  const [os, server] = await world.start((connection) => ({
    "vm.info": ({ vmId }) => {
      connection.peer.emit("lease.fenced", { vmId, leaseId: "someone-elses", currentFence: 2 });
      return server.vm(vmId);
    },
    "process.exec": ({ vmId, fence }) => {
      throw new AgentOsError("FENCED", "fenced", { vmId, fence, currentFence: 2 });
    },
    "lease.release": ({ vmId }) => {
      throw new AgentOsError("FENCED", "fenced", { vmId, fence: 1, currentFence: 2 });
    },
  }));
  expect((await os.info()).vmId).toBe(os.id);
  await expect(os.exec("x")).rejects.toMatchObject({
    code: "FENCED",
    details: { currentFence: 2 },
  });
  await os.dispose();
  await expect(os.exec("x")).rejects.toMatchObject({ code: "DISPOSED" });
});

test("options are checked before anything is sent", async () => {
  const [os, server] = await world.start(() => ({}));
  const before = server.requests.length;
  const unknown: object = { timeout: 5 };
  const odd: object = { onStdout: 5 };
  for (const options of [
    unknown,
    odd,
    { timeoutMs: 0 },
    { cwd: "relative" },
    { env: { "a=b": "" } },
  ]) {
    await expect(os.exec("x", options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  await expect(os.exec([])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  const text: object = { stdin: "text" };
  await expect(os.spawn(["x"], text)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(os.fs.readdir("relative")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  for (const options of [
    { limitz: {} },
    { limits: { pids: -1 } },
    { limits: { pid: 1 } },
    { pool: "a", sidecar: os.sidecar },
  ]) {
    const given: object = options;
    await expect(AgentOs.create(given)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  expect(server.requests.length).toBe(before);
});
