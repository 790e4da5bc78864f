// The earlier life of a sidecar: hosts one VM with some processes until it is killed. stdout: one line
// of JSON, the VM's record; then frames as they came, with the process's place as stream.
import { writeSync } from "node:fs";

import { decodeFrame, encodeAck, setFrameStream } from "@agentos/protocol";
import { LinuxDriver } from "@agentos/vm";

const { driverOptions, request, programs } = JSON.parse(process.argv[2] ?? "");
const linkKey = Buffer.alloc(32, 7);
const driver = new LinuxDriver({ ...driverOptions, linkKey });
const vm = await driver.create(request, { signal: AbortSignal.timeout(30_000) });

/** @param {Uint8Array} bytes */
function writeAll(bytes) {
  for (let at = 0; at < bytes.byteLength;) at += writeSync(1, bytes, at);
}

writeAll(Buffer.from(`${JSON.stringify(vm.record)}\n`));
await Promise.all(
  programs.map(async (/** @type {string[]} */ argv, /** @type {number} */ at) => {
    /** @type {Uint8Array[]} */
    const early = [];
    /** @type {import("@agentos/core").VmProcess | undefined} */
    let started;
    /** @param {Uint8Array} bytes */
    const take = (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame === undefined || (frame.kind !== 0x92 && frame.kind !== 0x93)) return;
      const { kind, offset, payload } = frame;
      setFrameStream(bytes, at);
      // Out first: what is acknowledged is never sent again.
      writeAll(bytes);
      started?.send(encodeAck(0, kind - 0x91, offset + payload.byteLength));
    };
    started = await vm.startProcess(
      {
        processId: `p${at}`,
        argv,
        cwd: "/workspace",
        env: vm.environment,
        stdin: "pipe",
        output: "piped",
        windowBytes: 65_536,
      },
      { frame: (bytes) => (started === undefined ? early.push(bytes) : take(bytes)), closed() {} },
    );
    for (const bytes of early) take(bytes);
  }),
);
