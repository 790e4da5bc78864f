import { VmEndReason } from "@agentos/protocol";
import * as z from "zod";

/** A VM that is gone, as whoever asks for it later finds it. */
export interface EndedVm {
  /** Unique across users: the driver's id. */
  readonly key: string;
  readonly user: string;
  readonly vmId: string;
  readonly name: string | undefined;
  readonly reason: VmEndReason;
  readonly detail: string | undefined;
}

const Row = z.object({
  key: z.string(),
  user: z.string(),
  vm_id: z.string(),
  name: z.string().nullable(),
  reason: VmEndReason,
  detail: z.string().nullable(),
});

/** Throws where a column holds what no version wrote. */
export function readEndedVm(row: unknown): EndedVm {
  const { key, user, vm_id: vmId, name, reason, detail } = Row.parse(row);
  return { key, user, vmId, name: name ?? undefined, reason, detail: detail ?? undefined };
}
