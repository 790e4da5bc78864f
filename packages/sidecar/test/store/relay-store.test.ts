import { randomBytes } from "node:crypto";

import { DEFAULTS } from "@agentos/protocol";
import { expect, test } from "vitest";

import { Store } from "../../src/store/store.ts";

const EVERYTHING = { after: 0, limit: 10, newest: false, maxBytes: 1_000_000 };

test("[relay.case-33] the log forgets its oldest events beyond its bound, and goes on from its last seq", () => {
  const relay = new Store({ key: randomBytes(32) }).relay.of("owner");
  const tell = (seq: number): void =>
    relay.write({ events: [{ seq, at: seq, type: "agent_ready", agent: `a${seq}` }] });
  for (const seq of [1, 2, 3, 5_000]) tell(seq);
  expect(relay.oldestSeq).toBe(1);
  // It looks at every 1,024th.
  const far = Math.ceil((DEFAULTS.relayEvents + 3) / 1_024) * 1_024;
  tell(far);
  expect(relay.oldestSeq).toBe(5_000);
  expect(relay.lastSeq).toBe(far);
  const seqs = (query: object) => relay.events({ ...EVERYTHING, ...query }).map(({ seq }) => seq);
  expect(seqs({})).toEqual([5_000, far]);
  expect(seqs({ newest: true, limit: 1 })).toEqual([far]);
  expect(seqs({ newest: true, agent: "A5000" })).toEqual([5_000]);
});
