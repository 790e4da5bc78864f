import { CHANNEL, FRAME_KIND } from "@agentos/protocol";
import { expect, test } from "vitest";

import { ScriptedWorld } from "../scripted-world.ts";
import { exitOf, err, out } from "../scripted-process.ts";

const world = ScriptedWorld.use();

test("a spawned process streams with credit as it is read, and is released once all is here", async () => {
  const chunk = new Uint8Array(64 * 1024);
  const [os, server] = await world.start((connection) => ({
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
  const [os, server] = await world.start((connection) => ({
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
  expect(connection?.frames.map(({ kind, offset, payload }) => [kind, offset, payload[0]])).toEqual(
    [[FRAME_KIND.ack, chunk.length, CHANNEL.stdout]],
  );
});

test("the end of a VM ends its processes' streams, typed", async () => {
  const [os, server] = await world.start(() => ({
    "process.spawn": ({ processId }) => ({ processId, pid: 42 }),
  }));
  const process = await os.spawn(["x"], { stdin: "pipe" });
  const read = process.stdout.getReader().read();
  read.catch(() => undefined);
  server.connections[0]?.peer.emit("vm.ended", { vmId: os.id, reason: "died" });
  await expect(process.exited).rejects.toMatchObject({ code: "VM_ENDED" });
  await expect(read).rejects.toMatchObject({ code: "VM_ENDED" });
  await expect(process.stdin.getWriter().write("x")).rejects.toMatchObject({ errno: "EPIPE" });
});

test("a log is read in pieces with its gaps told, until the process's end", async () => {
  const [os] = await world.start((connection) => ({
    "process.log": ({ processId, stream, vmId }) => {
      out(connection, stream, 100, "kept ");
      err(connection, stream, 0, "error");
      setImmediate(() => {
        out(connection, stream, 105, "end");
        connection.peer.emit("process.exited", {
          ...exitOf(processId, { stdoutBytes: 108, stderrBytes: 5 }),
          vmId,
        });
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
