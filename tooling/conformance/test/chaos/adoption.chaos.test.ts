import { afterEach, beforeEach, expect, test } from "vitest";

import { cutTransfers } from "./cut-transfers.ts";
import { killRounds } from "./kill-rounds.ts";
import { leakCycles } from "./leak-cycles.ts";
import { Pool } from "./pool.ts";
import { chaosSeed, randomOf } from "./random.ts";
import { relayKills } from "./relay-kills.ts";

const MIB = 1024 * 1024;
let pool: Pool;

beforeEach(() => {
  pool = new Pool();
});
afterEach(async () => {
  await pool[Symbol.asyncDispose]();
});

test("[adopt.exec] [adopt.create] [adopt.once] [adopt.stdin] 50 times kill -9 in the middle of 20 execs", async () => {
  const seed = chaosSeed();
  const wrong = await killRounds(pool, { rounds: 50, random: randomOf(seed) });
  expect(wrong, `AGENTOS_CHAOS_SEED=${seed}`).toEqual([]);
});

test("[relay.kill] 20 times kill -9 while messages go to agents in VMs", async () => {
  const seed = chaosSeed();
  const wrong = await relayKills(pool, { rounds: 20, messages: 100, random: randomOf(seed) });
  expect(wrong, `AGENTOS_CHAOS_SEED=${seed}`).toEqual([]);
});

test("[resume.transfer] 100 cuts during 200 MiB each way change no byte", async () => {
  const seed = chaosSeed();
  const result = await cutTransfers(pool, {
    bytes: 200 * MIB,
    cuts: 100,
    random: randomOf(seed),
  });
  expect(result.cuts, `AGENTOS_CHAOS_SEED=${seed}`).toBe(100);
  expect(result.up[1]).toBe(result.up[0]);
  expect(result.down[1]).toBe(result.down[0]);
});

test("[leak.cycles] 10 cycles of 50 VMs leave everything where it was", async () => {
  const { before, after, grownBytes } = await leakCycles(pool, { cycles: 10, vms: 50 });
  expect(after).toEqual(before);
  expect(grownBytes).toBeLessThan(64 * MIB);
});
