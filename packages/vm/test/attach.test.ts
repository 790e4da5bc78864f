import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encodeFrame } from "@agentos/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";

import { attachLink, type Attached } from "../src/link/attach.ts";
import { u32, u64 } from "../src/link/fields.ts";
import { LINK_KIND } from "../src/link/link-kinds.ts";

let folder: string;
let server: Server;
/** What the VM answers to each frame that comes. */
let answers: Uint8Array[][];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "attach-"));
  server = createServer((socket) => {
    socket.on("data", () => socket.write(Buffer.concat(answers.shift() ?? [])));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(join(folder, "s"), resolve));
});

afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const entry = (stream: number, id: string): Uint8Array =>
  encodeFrame(
    LINK_KIND.tableEntry,
    stream,
    0,
    Buffer.concat([Uint8Array.of(0, 1), u32(42), ...[1, 2, 3, 4, 5].map(u64), Buffer.from(id)]),
  );

const ready = encodeFrame(LINK_KIND.ready, 0, 0, Buffer.concat([u32(3), u32(1)]));
const end = encodeFrame(LINK_KIND.end, 0, 0);

async function attach(signal = AbortSignal.timeout(10_000)): Promise<Attached> {
  const socketPath = join(folder, "s");
  return attachLink({ vmId: "vm", socketPath, secret: Buffer.alloc(32), epoch: 2, signal });
}

test("an adopted VM tells what runs, and its stream numbers are not used again", async () => {
  answers = [[ready], [entry(7, "first"), entry(5, "second"), end]];
  const attached = await attach();
  if (!attached.ok) throw new Error("expected to be attached");
  expect(attached.link).toMatchObject({ version: 3, walls: 1 });
  expect(attached.processes).toHaveLength(2);
  expect(attached.processes[0]).toEqual({
    stream: 7,
    processId: "first",
    state: "running",
    flags: 1,
    pid: 42,
    stdout: { acknowledged: 1, produced: 2 },
    stderr: { acknowledged: 3, produced: 4 },
    stdinReceived: 5,
  });
  expect(attached.link.open({ frame() {}, closed() {} })).toBe(8);
  attached.link.end("the test is over");
});

test("a VM of the version before is adopted, and says nothing of its walls", async () => {
  const refusal = Buffer.concat([u32(93), Buffer.from("version")]);
  answers = [
    [encodeFrame(LINK_KIND.fail, 0, 0, refusal)],
    [encodeFrame(LINK_KIND.ready, 0, 0, u32(2))],
    [end],
  ];
  const attached = await attach();
  if (!attached.ok) throw new Error("expected to be attached");
  expect(attached.link).toMatchObject({ version: 2, walls: 0 });
  attached.link.end("the test is over");
});

test("a refusal says why", async () => {
  answers = [[encodeFrame(LINK_KIND.fail, 0, 0, Buffer.concat([u32(116), Buffer.from("epoch")]))]];
  expect(await attach()).toMatchObject({
    ok: false,
    failure: { step: "epoch", errno: { name: "ESTALE" } },
  });
});

test("a table that is none ends the link", async () => {
  answers = [[ready], [entry(7, "bad id"), end]];
  await expect(attach()).rejects.toMatchObject({
    code: "VM_ENDED",
    details: { reason: "a process id that is none" },
  });
});

test("attaching can be given up", async () => {
  answers = [];
  const controller = new AbortController();
  const attaching = attach(controller.signal);
  setImmediate(() => controller.abort(new Error("no more")));
  await expect(attaching).rejects.toThrow("no more");
});
