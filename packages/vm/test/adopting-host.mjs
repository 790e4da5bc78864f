// The next life of a sidecar: adopts a VM, takes the rest of what its processes write, and tells in one
// line of JSON what came of each, or with which error the adoption failed.
import { existsSync } from "node:fs";

import { decodeFrame, encodeAck, encodeFrame } from "@agentos/protocol";
import { LinuxDriver } from "@agentos/vm";

/** @typedef {{ received: { stdout: number, stderr: number }, stdin?: { from: number, text: string } }} Continued */

const {
  driverOptions,
  request,
  record,
  continued,
  key,
  epoch = 2,
} = JSON.parse(process.argv[2] ?? "");
const driver = new LinuxDriver({ ...driverOptions, linkKey: Buffer.alloc(32, key), epoch });

/** @param {import("@agentos/core").AdoptedProcess} adopted @param {Continued} reader */
async function goOn(adopted, { received, stdin }) {
  const running = adopted.process;
  const next = [received.stdout, received.stderr];
  /** @type {Buffer[][]} */
  const parts = [[], []];
  /** @type {(() => void) | undefined} */
  let onBytes;
  adopted.attach({
    frame(bytes) {
      const frame = decodeFrame(bytes);
      if (frame === undefined || (frame.kind !== 0x92 && frame.kind !== 0x93)) return;
      const at = frame.kind - 0x92;
      if (frame.offset !== next[at]) throw new Error(`expected ${next[at]}, got ${frame.offset}`);
      next[at] += frame.payload.byteLength;
      parts[at]?.push(Buffer.from(frame.payload));
      running.send(encodeAck(0, at + 1, next[at]));
      onBytes?.();
    },
    closed() {},
  });
  const resuming = running.resume(received);
  if (stdin !== undefined) {
    // At once: how much of it was taken is not known yet.
    const bytes = Buffer.from(stdin.text).subarray(stdin.from);
    running.send(encodeFrame(0x11, 0, stdin.from, bytes));
    running.send(encodeFrame(0x12, 0, stdin.from + bytes.byteLength));
  }
  await resuming;
  const exit = await running.exited;
  while (next[0] !== exit.stdoutBytes || next[1] !== exit.stderrBytes) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => {
      onBytes = () => resolve(undefined);
    });
  }
  running.close();
  return { exit, text: parts.map((some) => Buffer.concat(some).toString("latin1")) };
}

async function adopt() {
  const adopted = await driver.adopt(request, record, { signal: AbortSignal.timeout(30_000) });
  const processes = await Promise.all(
    adopted.processes.map(async (one) => {
      const { processId, state } = one;
      const reader = continued[Number(processId.slice(1))];
      return [processId, { state, ...(await goOn(one, reader)) }];
    }),
  );
  const use = await adopted.handle.stats();
  await adopted.handle[Symbol.asyncDispose]();
  return { processes: Object.fromEntries(processes), use };
}

const result = await adopt().catch((error) => ({ code: error.code, message: error.message }));
await driver[Symbol.asyncDispose]();
const left = [record.socketPath, ...record.cgroups].filter((path) => existsSync(path));
console.log(JSON.stringify({ ...result, left }));
