import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

import type { Clock } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";

/** The user of the sidecar's own key. */
export const OWNER_USER = "owner";

const KEY_BYTES = 32;

/** Who a key speaks for. The secret itself is not in it. */
export interface ApiKey {
  readonly keyId: string;
  readonly user: string;
  /** The sidecar's own key, which alone may name other users. */
  readonly isOwn: boolean;
  /** On the clock's scale; undefined: as long as the sidecar. */
  readonly expiresAtMs: number | undefined;
}

interface StoredKey extends ApiKey {
  readonly hash: Buffer;
  readonly closers: Set<() => void>;
  cancelExpiry: () => void;
}

/** The keys of one sidecar, kept only as hashes. A key that ends takes its live connections with it. */
export class ApiKeys {
  readonly #clock: Clock;
  readonly #keys = new Map<string, StoredKey>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The sidecar's own key. */
  createOwn(): string {
    return this.#add(OWNER_USER, true, undefined).apiKey;
  }

  /** A further key, of the creator's user unless the sidecar's own key names another; never outlives its creator's. */
  create(
    creator: ApiKey,
    wanted: { user?: string | undefined; ttlMs?: number | undefined },
  ): { key: ApiKey; apiKey: string } {
    const user = wanted.user ?? creator.user;
    if (user !== creator.user && !creator.isOwn) {
      const message = `only the sidecar's own key may name another user, this one speaks for ${creator.user}`;
      const details = { operation: "key.create", user: creator.user };
      throw new AgentOsError("FORBIDDEN", message, details);
    }
    if (this.#keys.size >= BOUNDS.apiKeys) {
      throw new AgentOsError(
        "POOL_EXHAUSTED",
        `there are ${BOUNDS.apiKeys} API keys already, the most a sidecar keeps`,
        {
          limit: "apiKeys",
          capacity: BOUNDS.apiKeys,
          waiting: 0,
        },
      );
    }
    return this.#add(user, false, this.#expiry(creator, wanted.ttlMs));
  }

  /** Ends a key of the caller's user, and every connection that it opened, at once. */
  revoke(user: string, keyId: string): void {
    const key = this.#keys.get(keyId);
    if (key === undefined || key.user !== user || key.isOwn) {
      throw new AgentOsError("NOT_FOUND", `no API key ${keyId}`, { kind: "key", id: keyId });
    }
    this.#end(key);
  }

  /** The key that `presented` is, or undefined. Takes the same time wherever they differ. */
  verify(presented: string): ApiKey | undefined {
    const hash = hashOf(presented);
    let found: StoredKey | undefined;
    for (const key of this.#keys.values()) if (timingSafeEqual(key.hash, hash)) found = key;
    // A timer may be late after the machine slept.
    const isExpired = (found?.expiresAtMs ?? Infinity) <= this.#clock.now();
    return isExpired ? undefined : found;
  }

  /** Calls `close` when the key ends; at once where it has. The result takes it back. */
  onEnd(keyId: string, close: () => void): () => void {
    const key = this.#keys.get(keyId);
    if (key === undefined) {
      close();
      return () => undefined;
    }
    key.closers.add(close);
    return () => void key.closers.delete(close);
  }

  #expiry(creator: ApiKey, ttlMs: number | undefined): number | undefined {
    const own = ttlMs === undefined ? undefined : this.#clock.now() + ttlMs;
    if (creator.expiresAtMs === undefined) return own;
    return Math.min(creator.expiresAtMs, own ?? Infinity);
  }

  #add(
    user: string,
    isOwn: boolean,
    expiresAtMs: number | undefined,
  ): { key: ApiKey; apiKey: string } {
    const apiKey = randomBytes(KEY_BYTES).toString("base64url");
    const keyId = randomBytes(12).toString("hex");
    const key: StoredKey = {
      keyId,
      user,
      isOwn,
      expiresAtMs,
      hash: hashOf(apiKey),
      closers: new Set(),
      cancelExpiry: () => undefined,
    };
    if (expiresAtMs !== undefined) {
      key.cancelExpiry = this.#clock.after(expiresAtMs - this.#clock.now(), () => this.#end(key));
    }
    this.#keys.set(keyId, key);
    return { key, apiKey };
  }

  #end(key: StoredKey): void {
    this.#keys.delete(key.keyId);
    key.cancelExpiry();
    for (const close of key.closers) close();
  }
}

function hashOf(apiKey: string): Buffer {
  return createHash("sha256").update(apiKey).digest();
}
