import { randomBytes } from "node:crypto";
import { chmod, link, open, readFile, rm } from "node:fs/promises";

import { AgentOsError } from "@agentos/protocol";

const KEY_BYTES = 32;

/**
 * The pool's secret of 32 random bytes, made at the pool's first start: VMs prove by it that a sidecar is theirs.
 * Rejects with `SIDECAR_START_FAILED` where the file can't be used.
 */
export async function poolKey(path: string): Promise<Buffer> {
  try {
    const key = (await existing(path)) ?? (await make(path));
    if (key.byteLength === KEY_BYTES) return key;
    throw new Error(`expected ${KEY_BYTES} bytes, it has ${key.byteLength}`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `the key file ${path} is not usable: ${reason}`;
    throw new AgentOsError("SIDECAR_START_FAILED", message, { reason, stderr: [] }, { cause });
  }
}

async function existing(path: string): Promise<Buffer | undefined> {
  try {
    const key = await readFile(path);
    await chmod(path, 0o600);
    return key;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function make(path: string): Promise<Buffer> {
  const temporary = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(randomBytes(KEY_BYTES));
    // Not a rename: it must not take the place of another starter's.
    await link(temporary, path).catch((error: unknown) => {
      if (!hasCode(error, "EEXIST")) throw error;
    });
    return await readFile(path);
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
