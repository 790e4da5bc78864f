import { createServer, request, type IncomingMessage } from "node:http";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { buffer, text } from "node:stream/consumers";

import { FakeDriver, type FakeVm } from "@agentos/testing";
import { expect, test } from "vitest";

import { VmSocket } from "../../src/vms/vm-socket.ts";

const signal = AbortSignal.timeout(30_000);

async function startVm(): Promise<FakeVm> {
  const driver = new FakeDriver();
  return driver.create(
    {
      vmId: "vm",
      image: "host",
      mounts: [],
      limits: {},
      requiredLimits: [],
      network: { egress: "none" },
      security: "standard",
    },
    { signal },
  );
}

/** Both ends of a connection to a program that listens. */
async function connected(vm: FakeVm): Promise<[VmSocket, Duplex]> {
  const { promise, resolve } = Promise.withResolvers<Duplex>();
  const close = vm.network.listen({ port: 3000 }, resolve);
  const socket = await VmSocket.connect(vm.network, { port: 3000 }, { signal });
  close();
  return [socket, await promise];
}

/** Everything until its end; an iterator would destroy it there. */
async function received(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(stream, "end");
  return Buffer.concat(chunks);
}

test("bytes travel both ways, and each side ends alone", async () => {
  const [socket, program] = await connected(await startVm());
  const megabytes = Buffer.alloc(3 * 1024 * 1024, "0123456789abcdef!");
  socket.end(megabytes);
  expect(megabytes.equals(await received(program))).toBe(true);
  program.end(megabytes);
  expect(megabytes.equals(await received(socket))).toBe(true);
});

test("a reader that waits holds the program back", async () => {
  const [socket, program] = await connected(await startVm());
  let written = 0;
  while (program.write(Buffer.alloc(64 * 1024)) || program.writableNeedDrain) {
    written += 64 * 1024;
    if (written > 8 * 1024 * 1024) break;
    if (program.writableNeedDrain) {
      const drained = once(program, "drain").then(() => true);
      const quiet = new Promise<boolean>((resolve) => setImmediate(() => resolve(false)));
      // oxlint-disable-next-line no-await-in-loop
      if (!(await Promise.race([drained, quiet]))) break;
    }
  }
  expect(written).toBeLessThan(1024 * 1024);
  program.end();
  expect((await buffer(socket)).byteLength).toBeGreaterThanOrEqual(written);
});

test("destroying it resets the program's connection, and the other way round", async () => {
  const vm = await startVm();
  const [socket, program] = await connected(vm);
  const reset = once(program, "error");
  socket.destroy();
  expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);
  const [second, other] = await connected(vm);
  const failed = once(second, "error");
  other.destroy();
  expect(await failed).toMatchObject([{ code: "ECONNRESET" }]);
});

test("a VM that dies ends its connections", async () => {
  const vm = await startVm();
  const [socket] = await connected(vm);
  const failed = once(socket, "error");
  vm.die();
  expect(await failed).toMatchObject([{ code: "VM_ENDED" }]);
});

test("a port without a listener is closed", async () => {
  const vm = await startVm();
  const refused = VmSocket.connect(vm.network, { port: 3000 }, { signal });
  await expect(refused).rejects.toMatchObject({
    code: "PORT_CLOSED",
    details: { vmId: "vm", port: "3000" },
  });
});

test("an HTTP server of the sidecar takes connections of the VM's programs", async () => {
  const vm = await startVm();
  const server = createServer((incoming, response) => {
    void text(incoming).then((body) => response.end(`${incoming.url} ${body}`));
  });
  const door = await vm.network.open({ port: 4100 }, (incoming) => {
    server.emit("connection", VmSocket.accept(incoming));
  });
  expect(door.port).toBe(4100);
  const ask = async (path: string, body: string): Promise<string> => {
    const outgoing = request({
      path,
      method: "POST",
      createConnection: () => vm.network.dial({ port: 4100 }),
    });
    const answered = Promise.withResolvers<IncomingMessage>();
    outgoing.on("response", answered.resolve);
    outgoing.end(body);
    return text(await answered.promise);
  };
  expect(await ask("/a", "first")).toBe("/a first");
  expect(await ask("/b", "x".repeat(1_000_000))).toHaveLength(1_000_003);
  await door[Symbol.asyncDispose]();
  expect(() => vm.network.dial({ port: 4100 })).toThrow("ECONNREFUSED");
});

test("a program whose connection is refused sees a reset", async () => {
  const vm = await startVm();
  await vm.network.open({ path: "/run/agentos/tools" }, (incoming) => incoming.refuse());
  const program = vm.network.dial({ path: "/run/agentos/tools" });
  expect(await once(program, "error")).toMatchObject([{ code: "ECONNRESET" }]);
});
