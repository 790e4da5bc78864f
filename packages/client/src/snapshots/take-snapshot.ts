import { randomUUID } from "node:crypto";

import type { SnapshotInfo } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";

/** Copying a busy VM's files may take this long. */
const TAKE_MS = 600_000;

/** Freezes a VM's files, once, also where the connection is lost meanwhile. */
export async function takeSnapshot(
  admin: VmAdmin,
  options: {
    name?: string | undefined;
    transient?: boolean;
    signal?: AbortSignal | undefined;
  },
): Promise<SnapshotInfo> {
  const { signal, ...rest } = options;
  const params = { ...admin.scope, snapshotId: randomUUID(), ...rest };
  return await admin.request("snapshot.create", params, { signal, deadlineMs: TAKE_MS });
}
