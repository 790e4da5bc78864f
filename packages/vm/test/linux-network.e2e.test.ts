import type { VmHandle, VmIncoming, VmNetwork } from "@agentos/core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { CollectingSink } from "./collecting-sink.ts";
import { DriverFixture, processRequest, run } from "./linux-vm-fixture.ts";

const signal = AbortSignal.timeout(60_000);

let fixture: DriverFixture;
let vm: VmHandle;
let network: VmNetwork;

/** A door's answer to whoever comes: a text, then the end. */
function saying(text: string): (connection: VmIncoming) => void {
  return (connection) => {
    const sink = new CollectingSink(1);
    const source = connection.accept(sink);
    sink.attach(source);
    void sink.write(source, Buffer.from(text), 65_536);
  };
}

/** A program that connects there, and prints what it is told. */
function dialling(to: string): string {
  return `const s = require("net").connect(${to}); s.on("data", d => { process.stdout.write(d); s.end(); })`;
}

beforeAll(async () => {
  fixture = await DriverFixture.start();
  vm = await fixture.create();
  if (vm.network === undefined) throw new Error("the VM has no network");
  network = vm.network;
});
afterAll(() => fixture[Symbol.asyncDispose]());

test("a program of the VM listens, and the sidecar connects to it", async () => {
  const serve = `require("net").createServer(s => s.end("from inside")).listen(3000, () => console.log("up"))`;
  const up = new CollectingSink();
  const server = await vm.startProcess(processRequest(vm, ["node", "-e", serve]), up);
  up.attach(server);
  await up.said("up");
  const sink = new CollectingSink(1);
  const source = await network.connect({ port: 3000 }, sink, { signal });
  sink.attach(source);
  await sink.complete();
  expect(sink.text()).toBe("from inside");
  source.close();
  server.signal("SIGKILL", "session");
  await server.exited;
  server.close();
  const refused = network.connect({ port: 3000 }, sink, { signal });
  await expect(refused).rejects.toMatchObject({ code: "PORT_CLOSED" });
});

test("programs of the VM reach doors at ports and paths, and can't take them away", async () => {
  await using door = await network.open({ port: 0 }, saying("a port"));
  await using atPath = await network.open({ path: "/run/agentos/tools" }, saying("a path"));
  expect(atPath.port).toBeUndefined();
  const byPort = await run(vm, ["node", "-e", dialling(`${door.port}, "localhost"`)]);
  expect(byPort.stdout).toBe("a port");
  const byPath = await run(vm, ["node", "-e", dialling(`"/run/agentos/tools"`)]);
  expect(byPath.stdout).toBe("a path");
  const attack = `
    cd /run/agentos
    rm -f tools; mv tools other; ln -s /tmp/x tools; chmod 0 tools; mv /run/agentos /run/x; touch y
    mount -o remount,rw /run/agentos; umount /run/agentos; kill -9 1
    ls -A /run/agentos`;
  expect((await run(vm, ["sh", "-c", attack])).stdout.trim()).toBe("tools");
  const steal = ["0.0.0.0", "127.0.0.1", "::", "::1"].map(
    (
      host,
    ) => `await new Promise(r => require("net").createServer().on("error", e => { console.log(e.code); r() })
      .listen({ port: ${door.port}, host: "${host}", exclusive: true }, () => { console.log("STOLEN ${host}"); r() }));`,
  );
  const stolen = await run(vm, [
    "node",
    "-e",
    `(async () => { ${steal.join("\n")} process.exit() })()`,
  ]);
  expect(stolen.stdout.trim().split("\n")).toEqual(Array.from({ length: 4 }, () => "EADDRINUSE"));
  expect((await run(vm, ["node", "-e", dialling(`"/run/agentos/tools"`)])).stdout).toBe("a path");
});

test.each([{ port: 80 }, { port: 70_000 }, { path: "/tmp/x" }, { path: "relative" }])(
  "a door at %j is refused",
  async (at) => {
    const opened = network.open(at, (connection) => connection.refuse());
    await expect(opened).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  },
);

test.each([{ port: 0 }, { port: 70_000 }, { port: 1.5 }, { path: "" }, { path: "/\0" }])(
  "connecting to %j is refused",
  async (to) => {
    const connecting = network.connect(to, new CollectingSink(), { signal });
    await expect(connecting).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  },
);

test("a door where a program listens is in use", async () => {
  const listen = `require("net").createServer().listen(3001, "127.0.0.1", () => console.log("up"))`;
  const up = new CollectingSink();
  const server = await vm.startProcess(processRequest(vm, ["node", "-e", listen]), up);
  up.attach(server);
  await up.said("up");
  const opened = network.open({ port: 3001 }, (connection) => connection.refuse());
  await expect(opened).rejects.toMatchObject({ code: "PORT_IN_USE", details: { port: "3001" } });
  server.signal("SIGKILL", "session");
  await server.exited;
  server.close();
});
