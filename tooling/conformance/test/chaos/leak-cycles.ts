import { setTimeout as delay } from "node:timers/promises";

import { type HostState, hostState, residentBytes } from "./host-state.ts";
import type { Pool } from "./pool.ts";

/** What was ended is swept, and the warm VMs are made again, within this. */
const SETTLE_MS = 15_000;
const POLL_MS = 100;

export interface LeakCycles {
  cycles: number;
  vms: number;
}

export interface Leaks {
  before: HostState;
  after: HostState;
  /** By how much the sidecar grew from the end of the first cycle to the end of the last. */
  grownBytes: number;
}

/** Makes VMs, uses each, and disposes them, again and again: what the machine has before and after. */
export async function leakCycles(pool: Pool, { cycles, vms }: LeakCycles): Promise<Leaks> {
  // A VM that stays keeps the sidecar and its connection.
  await using witness = await pool.create();
  await cycle(pool, vms);
  const before = await settled(pool, undefined);
  const pid = await pool.pid();
  const first = residentBytes(pid);
  for (let done = 1; done < cycles; done += 1) await cycle(pool, vms);
  const after = await settled(pool, before);
  await witness.exec("true");
  return { before, after, grownBytes: residentBytes(pid) - first };
}

async function cycle(pool: Pool, vms: number): Promise<void> {
  const all = await Promise.all(Array.from({ length: vms }, () => pool.create()));
  await Promise.all(
    all.map(async (os, index) => {
      await os.exec("seq 1 1000 > /workspace/numbers");
      await os.fs.readFile("/workspace/numbers");
      if (index % 2 === 0) await os.spawn(["sleep", "1000"]);
    }),
  );
  await Promise.all(all.map((os) => os.dispose()));
}

/** The state once it is as `expected`, or once it stays the same; or as it is when it takes too long. */
async function settled(pool: Pool, expected: HostState | undefined): Promise<HostState> {
  const until = performance.now() + SETTLE_MS;
  let last: HostState | undefined = expected;
  let same = 0;
  for (;;) {
    const state = await hostState(pool);
    const isSame = JSON.stringify(state) === JSON.stringify(last);
    same = isSame ? same + 1 : 0;
    if (expected === undefined) last = state;
    if ((expected !== undefined && isSame) || same >= 10 || performance.now() > until) return state;
    await delay(POLL_MS);
  }
}
