import { AgentOs, disposeSharedSidecars } from "@agentos/client";
import { AgentOsError, CHANNEL, encodeFrame, FRAME_KIND, type Handlers, type ProcessExit } from "@agentos/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";

import { type ScriptedConnection, ScriptedSidecar, temporaryDirectory } from "../scripted-sidecar.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let scripted: ScriptedSidecar | undefined;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await disposeSharedSidecars();
  await scripted?.[Symbol.asyncDispose]();
  directory[Symbol.dispose]();
});

async function start(handlers: (connection: ScriptedConnection) => Handlers): Promise<[AgentOs, ScriptedSidecar]> {
  const runtimeDirectory = directory.path;
  scripted = await ScriptedSidecar.listen({ runtimeDirectory, handlers });
  const sidecar = await AgentOs.getSharedSidecar({ runtimeDirectory });
  return [await AgentOs.create({ sidecar }), scripted];
}

function exitOf(processId: string, parts: Partial<ProcessExit> = {}): ProcessExit {
  return {
    processId, exitCode: 0, signal: null, outcome: "exited", stdoutBytes: 0, stderrBytes: 0,
    stdoutOpen: false, stderrOpen: false, durationMs: 1, ...parts,
  };
}

const out = (connection: ScriptedConnection, stream: number, offset: number, bytes: string | Uint8Array): void =>
  connection.peer.sendFrame(encodeFrame(FRAME_KIND.out, stream, offset, typeof bytes === "string" ? Buffer.from(bytes) : bytes));
const err = (connection: ScriptedConnection, stream: number, offset: number, text: string): void =>
  connection.peer.sendFrame(encodeFrame(FRAME_KIND.err, stream, offset, Buffer.from(text)));
const acksOf = ({ frames }: ScriptedConnection): number[] =>
  frames.filter(({ kind }) => kind === FRAME_KIND.ack).map(({ offset }) => offset);

test("a small exec is one request, one answer and one release: nothing is acknowledged", async () => {
  const [os, server] = await start((connection) => ({
    "process.exec": ({ processId, stream, argv }) => {
      expect(argv).toEqual(["/bin/sh", "-c", "echo hi"]);
      out(connection, stream, 0, "hi\n");
      err(connection, stream, 0, "oh\n");
      return exitOf(processId, { exitCode: 3, stdoutBytes: 3, stderrBytes: 3 });
    },
  }));
  const before = server.requests.length;
  expect(await os.exec("echo hi")).toEqual({
    exitCode: 3, signal: null, outcome: "exited", stdout: "hi\n", stderr: "oh\n", truncated: false, durationMs: 1,
  });
  await os.info();
  expect(server.requests.slice(before)).toEqual(["process.exec", "process.release", "vm.info"]);
  expect(server.connections[0]?.frames).toEqual([]);
});

test("output that its end speaks of is waited for, and what comes later is dropped", async () => {
  const [os] = await start((connection) => ({
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
  const [os, server] = await start((connection) => ({
    "process.exec": async ({ processId, stream }) => {
      const window = 256 * 1024;
      let acknowledged = 0;
      let wake = (): void => undefined;
      connection.onFrame = ({ offset }) => ((acknowledged = offset), wake());
      for (let sent = 0; sent < 2 * 1024 * 1024; sent += chunk.length) {
        while (sent + chunk.length - acknowledged > window) await new Promise<void>((resolve) => (wake = resolve));
        out(connection, stream, sent, chunk);
      }
      return exitOf(processId, { stdoutBytes: 2 * 1024 * 1024 });
    },
  }));
  let heard = 0;
  const result = await os.exec(["x"], { maxOutputBytes: 1000, onStdout: (text) => (heard += text.length) });
  expect(result).toMatchObject({ exitCode: 0, truncated: true, stdout: "x".repeat(1000) });
  expect(heard).toBe(2 * 1024 * 1024);
  const [connection] = server.connections;
  expect(connection === undefined ? [] : acksOf(connection)).toEqual(Array.from({ length: 16 }, (_, index) => (index + 1) * 128 * 1024));
});

test("text is decoded across frames, cut at a whole character, and given as bytes where asked", async () => {
  const bytes = Buffer.from("aé😀b");
  const [os] = await start((connection) => ({
    "process.exec": ({ processId, stream }) => {
      for (let at = 0; at < bytes.length; at += 1) out(connection, stream, at, bytes.subarray(at, at + 1));
      return exitOf(processId, { stdoutBytes: bytes.length });
    },
  }));
  const heard: string[] = [];
  expect((await os.exec("x", { onStdout: (text) => heard.push(text) })).stdout).toBe("aé😀b");
  expect(heard).toEqual(["a", "é", "😀", "b"]);
  expect(await os.exec("x", { maxOutputBytes: 5 })).toMatchObject({ stdout: "aé", truncated: true });
  const pieces: Uint8Array[] = [];
  const { stdout } = await os.exec("x", { encoding: "buffer", onStdout: (piece) => pieces.push(piece) });
  expect([Buffer.from(stdout), Buffer.concat(pieces)]).toEqual([bytes, bytes]);
});

test("stdin is sent within its window, then ended, from any kind of source", async () => {
  const [os] = await start((connection) => ({
    "process.exec": async ({ processId, stream, stdin }) => {
      expect(stdin).toBe("pipe");
      const taken: Uint8Array[] = [];
      let bytes = 0;
      const ended = new Promise<void>((resolve) => {
        connection.onFrame = ({ kind, offset, payload }) => {
          if (kind === FRAME_KIND.eofIn) return resolve();
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
  async function* pieces(): AsyncGenerator<string> {
    yield "abc";
    yield "def";
  }
  expect((await os.exec("x", { stdin: text })).stdout).toBe("900000 abc");
  expect((await os.exec("x", { stdin: Buffer.from("abcd") })).stdout).toBe("4 abc");
  expect((await os.exec("x", { stdin: pieces() })).stdout).toBe("6 abc");
  expect((await os.exec("x", { stdin: new Blob(["abcde"]).stream() })).stdout).toBe("5 abc");
  expect((await os.exec("x", { stdin: "" })).stdout).toBe("0 ");
});

test("a command that ends does not wait for a source that never does", async () => {
  const [os] = await start(() => ({ "process.exec": ({ processId }) => exitOf(processId) }));
  let cancelled = false;
  const never = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) });
  expect((await os.exec("x", { stdin: never })).exitCode).toBe(0);
  await os.info();
  expect(cancelled).toBe(true);
});

test("an abort kills the session and the outcome is cancelled; before the start nothing is started", async () => {
  const signals: object[] = [];
  const [os, server] = await start((connection) => {
    const killed = Promise.withResolvers<void>();
    return {
      "process.exec": async ({ processId, stream }) => {
        out(connection, stream, 0, "begun");
        await killed.promise;
        return exitOf(processId, { exitCode: null, signal: "SIGKILL", outcome: "signaled", stdoutBytes: 5 });
      },
      "process.signal": ({ signal, scope }) => {
        signals.push({ signal, scope });
        killed.resolve();
        return {};
      },
    };
  });
  const controller = new AbortController();
  const result = await os.exec("x", { signal: controller.signal, onStdout: () => controller.abort() });
  expect(result).toMatchObject({ exitCode: null, signal: "SIGKILL", outcome: "cancelled", stdout: "begun" });
  expect(signals).toEqual([{ signal: "SIGKILL", scope: "session" }]);
  const before = server.requests.length;
  expect(await os.exec("x", { signal: AbortSignal.abort() })).toMatchObject({ exitCode: null, outcome: "cancelled", stdout: "" });
  expect(server.requests.length).toBe(before);
});

test("a process that exits by itself while it is aborted keeps its own end", async () => {
  const [os] = await start(() => ({
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

test("a listener that throws ends the command, and its error is the caller's", async () => {
  const [os] = await start((connection) => {
    const killed = Promise.withResolvers<void>();
    return {
      "process.exec": async ({ processId, stream }) => {
        out(connection, stream, 0, "x");
        await killed.promise;
        return exitOf(processId, { exitCode: null, signal: "SIGKILL", outcome: "signaled", stdoutBytes: 1 });
      },
      "process.signal": () => (killed.resolve(), {}),
    };
  });
  const listener = (): void => {
    throw new RangeError("mine");
  };
  await expect(os.exec("x", { onStdout: listener })).rejects.toThrow(new RangeError("mine"));
});

test("typed errors of the start, and of the VM's end, are the caller's", async () => {
  const [os, server] = await start(() => ({
    "process.exec": ({ argv }) => {
      if (argv[0] === "gone") return new Promise<never>(() => {});
      throw new AgentOsError("COMMAND_NOT_FOUND", "no-such: command not found", { command: "no-such", exitCode: 127 });
    },
  }));
  const before = server.requests.length;
  await expect(os.exec(["no-such"])).rejects.toMatchObject({ code: "COMMAND_NOT_FOUND", details: { exitCode: 127 } });
  const pending = os.exec(["gone"]);
  pending.catch(() => undefined);
  await os.info();
  expect(server.requests.slice(before)).toEqual(["process.exec", "process.exec", "vm.info"]);
  server.connections[0]?.peer.emit("vm.ended", { vmId: os.id, reason: "died", detail: "out of memory" });
  await expect(pending).rejects.toMatchObject({ code: "VM_ENDED", details: { reason: "died" } });
  await expect(os.exec("x")).rejects.toMatchObject({ code: "VM_ENDED" });
});

test("a gap in the output is an error, never a result", async () => {
  const [os] = await start((connection) => ({
    "process.exec": ({ processId, stream }) => {
      out(connection, stream, 0, "ab");
      out(connection, stream, 3, "d");
      return exitOf(processId, { stdoutBytes: 4 });
    },
    "process.signal": () => ({}),
  }));
  await expect(os.exec("x")).rejects.toMatchObject({ code: "PROTOCOL_ERROR", message: "expected bytes at offset 2, got 3" });
});

test("a spawned process streams with credit as it is read, and is released once all is here", async () => {
  const chunk = new Uint8Array(64 * 1024);
  const [os, server] = await start((connection) => ({
    "process.spawn": ({ processId, stream, vmId }) => {
      for (let at = 0; at < 4; at += 1) out(connection, stream, at * chunk.length, chunk);
      const exit = exitOf(processId, { stdoutBytes: 4 * chunk.length });
      setImmediate(() => connection.peer.emit("process.exited", { ...exit, vmId }));
      return { processId, pid: 42 };
    },
  }));
  const process = await os.spawn(["x"]);
  expect(process.pid).toBe(42);
  expect(await process.exited).toMatchObject({ exitCode: 0, outcome: "exited" });
  const [connection] = server.connections;
  expect(connection?.frames).toEqual([]);
  let bytes = 0;
  for await (const piece of process.stdout) bytes += piece.byteLength;
  expect(bytes).toBe(4 * chunk.length);
  expect((await process.stderr.getReader().read()).done).toBe(true);
  await os.info();
  expect(server.requests.filter((method) => method === "process.release").length).toBe(1);
  await process.kill();
  expect(server.requests).not.toContain("process.signal");
});

test("an unread stream gives no credit back; reading gives it back", async () => {
  const chunk = new Uint8Array(128 * 1024);
  const [os, server] = await start((connection) => ({
    "process.spawn": ({ processId, stream }) => {
      out(connection, stream, 0, chunk);
      out(connection, stream, chunk.length, chunk);
      return { processId, pid: 42 };
    },
  }));
  const process = await os.spawn(["x"]);
  await os.info();
  const [connection] = server.connections;
  expect(connection?.frames).toEqual([]);
  const reader = process.stdout.getReader();
  expect((await reader.read()).value?.byteLength).toBe(chunk.length);
  await os.info();
  expect(connection?.frames.map(({ kind, offset, payload }) => [kind, offset, payload[0]])).toEqual([
    [FRAME_KIND.ack, chunk.length, CHANNEL.stdout],
  ]);
});

test("the end of a VM ends its processes' streams, typed", async () => {
  const [os, server] = await start(() => ({ "process.spawn": ({ processId }) => ({ processId, pid: 42 }) }));
  const process = await os.spawn(["x"], { stdin: "pipe" });
  const read = process.stdout.getReader().read();
  read.catch(() => undefined);
  server.connections[0]?.peer.emit("vm.ended", { vmId: os.id, reason: "died" });
  await expect(process.exited).rejects.toMatchObject({ code: "VM_ENDED" });
  await expect(read).rejects.toMatchObject({ code: "VM_ENDED" });
  await expect(process.stdin.getWriter().write("x")).rejects.toMatchObject({ errno: "EPIPE" });
});

test("a takeover fences the old holder, and its own dispose is quiet", async () => {
  const [os, server] = await start((connection) => ({
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
  await expect(os.exec("x")).rejects.toMatchObject({ code: "FENCED", details: { currentFence: 2 } });
  await os.dispose();
  await expect(os.exec("x")).rejects.toMatchObject({ code: "DISPOSED" });
});

test("a log is read in pieces with its gaps told, until the process's end", async () => {
  const [os] = await start((connection) => ({
    "process.log": ({ processId, stream, vmId }) => {
      out(connection, stream, 100, "kept ");
      err(connection, stream, 0, "error");
      setImmediate(() => {
        out(connection, stream, 105, "end");
        connection.peer.emit("process.exited", { ...exitOf(processId, { stdoutBytes: 108, stderrBytes: 5 }), vmId });
      });
      return { processId, pid: 42, command: "x", output: "logged", state: "running" };
    },
  }));
  const chunks = [];
  for await (const { channel, offset, dropped, data } of os.logs("p1")) {
    chunks.push([channel, offset, dropped, Buffer.from(data).toString()]);
  }
  expect(chunks).toEqual([
    ["stdout", 100, 100, "kept "],
    ["stderr", 0, 0, "error"],
    ["stdout", 105, 0, "end"],
  ]);
});

test("options are checked before anything is sent", async () => {
  const [os, server] = await start(() => ({}));
  const before = server.requests.length;
  const unknown: object = { timeout: 5 };
  const odd: object = { onStdout: 5 };
  for (const options of [unknown, odd, { timeoutMs: 0 }, { cwd: "relative" }, { env: { "a=b": "" } }]) {
    await expect(os.exec("x", options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  await expect(os.exec([])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  const text: object = { stdin: "text" };
  await expect(os.spawn(["x"], text)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(os.fs.readdir("relative")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  for (const options of [{ limitz: {} }, { limits: { pids: -1 } }, { limits: { pid: 1 } }, { pool: "a", sidecar: os.sidecar }]) {
    const given: object = options;
    await expect(AgentOs.create(given)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  expect(server.requests.length).toBe(before);
});
