import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** What a token opens: a session's model, or its tools. */
export type TokenUse = "model" | "tools";

/**
 * The token that programs of a session's VM show. It comes from the pool's secret, so that the next life of
 * the sidecar knows it and nothing of it is stored. `vmKey`: the driver's id of the VM, unique across users.
 */
export function vmToken(
  key: Uint8Array,
  { use, vmKey, sessionId }: { use: TokenUse; vmKey: string; sessionId: string },
): string {
  // None has a NUL in it, so no two of them are one text.
  const text = `${use}\0${vmKey}\0${sessionId}`;
  return `aos-${createHmac("sha256", key).update(text).digest("base64url")}`;
}

interface Entry<T> {
  readonly digest: Buffer;
  readonly vmKey: string;
  readonly value: T;
}

/** What is open now, found by the token of its session and the VM that it is shown in. */
export class VmTokens<T> {
  readonly #byDigest = new Map<string, Entry<T>>();

  get values(): T[] {
    return [...this.#byDigest.values()].map(({ value }) => value);
  }

  /** The result takes it out again. */
  add(token: string, vmKey: string, value: T): () => void {
    const digest = digestOf(token);
    const key = digest.toString("hex");
    const entry = { digest, vmKey, value };
    this.#byDigest.set(key, entry);
    return () => {
      if (this.#byDigest.get(key) === entry) this.#byDigest.delete(key);
    };
  }

  /** What all of these tokens open, from that VM. Undefined: nothing, or one of them is foreign. */
  find(tokens: readonly string[], vmKey: string): T | undefined {
    const found = tokens.map((token) => this.#entry(token));
    const [first] = found;
    if (first === undefined || first.vmKey !== vmKey) return undefined;
    return found.every((entry) => entry === first) ? first.value : undefined;
  }

  clear(): void {
    this.#byDigest.clear();
  }

  /** Looked up by the hash, whose prefixes tell nothing of the token's. */
  #entry(token: string): Entry<T> | undefined {
    const digest = digestOf(token);
    const entry = this.#byDigest.get(digest.toString("hex"));
    return entry !== undefined && timingSafeEqual(entry.digest, digest) ? entry : undefined;
  }
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
