import * as z from "zod";

/** A lease as the next life of the sidecar finds it. */
export interface StoredLease {
  readonly vmKey: string;
  readonly leaseId: string;
  readonly user: string;
  readonly fence: number;
  /** The connection that holds it, or held it last. */
  readonly holder: string;
  /** The clock's time at which its grace ends. Undefined: its connection was there. */
  readonly expiresMs: number | undefined;
}

const Row = z.object({
  vm_key: z.string(),
  lease_id: z.string(),
  user: z.string(),
  fence: z.int().min(1),
  holder: z.string(),
  expires_ms: z.number().nullable(),
});

/** Throws where a column holds what no version wrote. */
export function readStoredLease(row: unknown): StoredLease {
  const { vm_key, lease_id, user, fence, holder, expires_ms } = Row.parse(row);
  return {
    vmKey: vm_key,
    leaseId: lease_id,
    user,
    fence,
    holder,
    expiresMs: expires_ms ?? undefined,
  };
}
