// Hosts one VM until it is killed; prints the pids of the VM's first process and of its spawner.
import { readFileSync } from "node:fs";

import { LinuxDriver } from "@agentos/vm";

const [, , runDirectory = "", vmId = ""] = process.argv;
const driver = new LinuxDriver({ runDirectory, linkKey: new Uint8Array(32) });
const vm = await driver.create(
  {
    vmId,
    image: "host",
    mounts: [],
    limits: { diskBytes: 1024 * 1024 },
    requiredLimits: [],
    network: { egress: "none" },
    security: "standard",
  },
  { signal: AbortSignal.timeout(30_000) },
);
const init = Number(vm.record?.["pid"]);
const stat = readFileSync(`/proc/${init}/stat`, "latin1");
const spawner = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
console.log(`${init} ${spawner}`);
