import { expect, test } from "vitest";

import { MemoryKills } from "../../src/cgroup/memory-kills.ts";

const LIMIT = { limit: "memoryBytes", value: 64 } as const;

test("each kill is claimed once", () => {
  const kills = new MemoryKills();
  expect(kills.claim(0)).toBe(undefined);
  kills.add(LIMIT, 2);
  expect([kills.claim(0), kills.claim(0), kills.claim(0)]).toEqual([LIMIT, LIMIT, undefined]);
});

test("a kill from before its start is not a process's own", () => {
  const kills = new MemoryKills();
  kills.add(LIMIT, 1);
  expect(kills.claim(performance.now() + 1)).toBe(undefined);
  expect(kills.claim(0)).toEqual(LIMIT);
});

test("a bomb's kills without number take no memory", () => {
  const kills = new MemoryKills();
  kills.add(LIMIT, Number.MAX_SAFE_INTEGER);
  kills.add(LIMIT, 1e9);
  let claimed = 0;
  while (kills.claim(0) !== undefined) claimed += 1;
  expect(claimed).toBe(1_024);
});
