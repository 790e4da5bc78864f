// Meets the limits of VMs as whoever runs it, and prints what happened.
import { isAgentOsError, type LimitName } from "@agentos/protocol";

import { DriverFixture, run } from "../linux-vm-fixture.ts";

const MIB = 1024 * 1024;

async function refusalOf(fixture: DriverFixture, limit: LimitName): Promise<string> {
  const limits = { memoryBytes: 256 * MIB, cpus: 1 };
  try {
    const vm = await fixture.create({ limits, requiredLimits: [limit] });
    await vm[Symbol.asyncDispose]();
    return "none";
  } catch (error) {
    return isAgentOsError(error) ? error.code : String(error);
  }
}

const fixture = await DriverFixture.start();
try {
  const { limits } = await fixture.driver.probe();
  const refused = [await refusalOf(fixture, "memoryBytes"), await refusalOf(fixture, "cpus")];
  const vm = await fixture.create({
    limits: { pids: 20, openFiles: 64, diskBytes: 16 * MIB },
    requiredLimits: ["pids", "openFiles", "diskBytes", "wallMs"],
  });
  const { processes } = await vm.stats();
  const bomb = "for i in $(seq 60); do sleep 0.3 & done; wait; echo all of them";
  const forks = await run(vm, ["sh", "-c", bomb]);
  const disk = await run(vm, ["dd", "if=/dev/zero", "of=/workspace/x", "bs=64k"]);
  const files = await run(vm, ["sh", "-c", "ulimit -n"]);
  const result = {
    limits,
    refused,
    processes,
    forkBomb: { stdout: forks.stdout, refused: /fork/i.test(forks.stderr) },
    diskBomb: { refused: disk.stderr.includes("No space left") },
    openFiles: files.stdout,
  };
  process.stdout.write(JSON.stringify(result));
} finally {
  await fixture[Symbol.asyncDispose]();
}
