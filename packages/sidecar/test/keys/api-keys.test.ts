import { inspect } from "node:util";

import { FakeClock } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { BOUNDS } from "../../src/bounds.ts";
import { type ApiKey, ApiKeys } from "../../src/keys/api-keys.ts";

function setUp() {
  const clock = new FakeClock();
  const keys = new ApiKeys(clock);
  const own = keys.verify(keys.createOwn());
  if (own === undefined) throw new Error("the sidecar's own key is not known to it");
  return { clock, keys, own };
}

const verified = (keys: ApiKeys, apiKey: string): ApiKey => {
  const key = keys.verify(apiKey);
  if (key === undefined) throw new Error("expected a valid key");
  return key;
};

describe("ApiKeys", () => {
  test("knows its keys and no others", () => {
    const { keys, own } = setUp();
    const { apiKey, key } = keys.create(own, { user: "alice" });
    expect(keys.verify(apiKey)).toMatchObject({ user: "alice", isOwn: false, keyId: key.keyId });
    expect(apiKey.length).toBeGreaterThanOrEqual(43);
    for (const wrong of ["", apiKey.slice(1), `${apiKey}x`, apiKey.toLowerCase() + "A"]) {
      expect(keys.verify(wrong)).toBeUndefined();
    }
  });

  test("keeps no secret, only its hash", () => {
    const { keys, own } = setUp();
    const { apiKey } = keys.create(own, {});
    expect(inspect(verified(keys, apiKey), { depth: 5, showHidden: true })).not.toContain(apiKey);
  });

  test("[S2] a key past its time is refused and closes its connections", () => {
    const { clock, keys, own } = setUp();
    const { apiKey, key } = keys.create(own, { ttlMs: 1_000 });
    let closed = 0;
    keys.onEnd(key.keyId, () => (closed += 1));
    clock.advance(999);
    expect(keys.verify(apiKey)).toBeDefined();
    expect(closed).toBe(0);
    clock.advance(1);
    expect(keys.verify(apiKey)).toBeUndefined();
    expect(closed).toBe(1);
  });

  test("[S2] a revoked key is refused and closes its connections at once", () => {
    const { keys, own } = setUp();
    const { apiKey, key } = keys.create(own, { user: "alice" });
    let closed = 0;
    keys.onEnd(key.keyId, () => (closed += 1));
    keys.onEnd(key.keyId, () => (closed += 10))();
    keys.revoke("alice", key.keyId);
    expect(closed).toBe(1);
    expect(keys.verify(apiKey)).toBeUndefined();
    keys.onEnd(key.keyId, () => (closed += 100));
    expect(closed).toBe(101);
  });

  test("[S9] only the sidecar's own key names another user", () => {
    const { keys, own } = setUp();
    const alice = verified(keys, keys.create(own, { user: "alice" }).apiKey);
    expect(keys.create(alice, {}).key.user).toBe("alice");
    expect(() => keys.create(alice, { user: "owner" })).toThrow(
      expect.objectContaining({ code: "FORBIDDEN" }),
    );
    const second = verified(keys, keys.create(own, {}).apiKey);
    expect(second.user).toBe("owner");
    expect(() => keys.create(second, { user: "alice" })).toThrow(
      expect.objectContaining({ code: "FORBIDDEN" }),
    );
  });

  test("[S9] a key made from another never outlives it", () => {
    const { clock, keys, own } = setUp();
    const short = verified(keys, keys.create(own, { ttlMs: 1_000 }).apiKey);
    const rotated = [keys.create(short, {}), keys.create(short, { ttlMs: 9_000 })];
    clock.advance(1_000);
    for (const { apiKey } of rotated) expect(keys.verify(apiKey)).toBeUndefined();
  });

  test("[S10] another user's key id is unknown, as is one that never was", () => {
    const { keys, own } = setUp();
    const { key, apiKey } = keys.create(own, { user: "alice" });
    const error = (keyId: string): unknown => {
      try {
        keys.revoke("bob", keyId);
      } catch (caught) {
        return caught;
      }
      return undefined;
    };
    expect(error(key.keyId)).toMatchObject({
      code: "NOT_FOUND",
      details: { kind: "key", id: key.keyId },
    });
    expect(error("0".repeat(24))).toMatchObject({
      code: "NOT_FOUND",
      details: { kind: "key", id: "0".repeat(24) },
    });
    expect(keys.verify(apiKey)).toBeDefined();
  });

  test("[S11] the number of keys has a bound", () => {
    const { keys, own } = setUp();
    for (let count = 1; count < BOUNDS.apiKeys; count += 1) keys.create(own, {});
    expect(() => keys.create(own, {})).toThrow(expect.objectContaining({ code: "POOL_EXHAUSTED" }));
  });
});
