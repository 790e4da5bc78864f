// Hosts one VM until it is killed; prints the pids of the VM's first process and of its spawner.
import { readFileSync } from "node:fs";

import { LinuxDriver } from "@agentos/vm";

const [, , runDirectory = "", vmId = ""] = process.argv;
const driver = new LinuxDriver({ runDirectory });
await driver.create(
  {
    vmId,
    image: "host",
    mounts: [],
    limits: { diskBytes: 1024 * 1024 },
    requiredLimits: [],
    network: { egress: "none" },
  },
  { signal: AbortSignal.timeout(30_000) },
);
/** @param {number} pid */
const children = (pid) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ").map(Number);
const spawner = children(process.pid)[0] ?? 0;
// The launcher goes once the VM is sealed; the VM's first process was made after it and stays.
const init = Math.max(...children(spawner));
console.log(`${init} ${spawner}`);
