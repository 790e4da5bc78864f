import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm, unlink } from "node:fs/promises";

import { DiscoveryFile } from "@agentos/protocol";

/** Says where the pool's sidecar listens, readable by its user only. Whole or absent, never half. */
export async function writeDiscoveryFile(path: string, content: DiscoveryFile): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(JSON.stringify(content));
  } finally {
    await file.close();
  }
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Removes the file if it still speaks of this life of this sidecar. */
export async function removeDiscoveryFile(
  path: string,
  own: { sidecarId: string; epoch: number; pid: number },
): Promise<void> {
  const content = await readDiscoveryFile(path);
  const isOurs =
    content?.sidecarId === own.sidecarId && content.epoch === own.epoch && content.pid === own.pid;
  if (isOurs) await unlink(path);
}

async function readDiscoveryFile(path: string): Promise<DiscoveryFile | undefined> {
  try {
    return DiscoveryFile.safeParse(JSON.parse(await readFile(path, "utf8"))).data;
  } catch {
    // Missing or not JSON: not ours either way.
    return undefined;
  }
}
