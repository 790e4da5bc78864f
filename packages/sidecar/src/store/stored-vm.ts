import type { VmRecord } from "@agentos/core";
import { NetworkPolicy, VmSpec } from "@agentos/protocol";
import * as z from "zod";

import type { SealedText } from "./sealed-text.ts";

/** A VM as the next life of the sidecar finds it. Times are the clock's: of one boot of the machine. */
export interface StoredVm {
  /** Unique across users: the driver's id. */
  readonly key: string;
  readonly user: string;
  readonly spec: VmSpec;
  readonly driver: string;
  /** Undefined: its driver can't hand it over. */
  readonly record: VmRecord | undefined;
  readonly fence: number;
  readonly createdAt: string;
  readonly startedMs: number;
  /** When the processes of a named VM without a lease end. Undefined: it has a lease. */
  readonly processesEndMs: number | undefined;
  /** What its programs may reach. */
  readonly network: NetworkPolicy;
}

const Row = z.object({
  key: z.string(),
  user: z.string(),
  spec: z.instanceof(Uint8Array),
  driver: z.string(),
  record: z.string().nullable(),
  fence: z.int().min(1),
  created_at: z.string(),
  started_ms: z.number(),
  processes_end_ms: z.number().nullable(),
  network: z.string().nullable(),
});

const Record = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).readonly()]),
);

/** Throws where a column holds what no version wrote. */
export function readStoredVm(row: unknown, sealed: SealedText): StoredVm {
  const columns = Row.parse(row);
  const { key, user, driver, record, fence } = columns;
  const spec = VmSpec.parse(JSON.parse(sealed.open(columns.spec)));
  return {
    key,
    user,
    driver,
    fence,
    spec,
    network:
      columns.network === null
        ? (spec.network ?? { egress: "none" })
        : NetworkPolicy.parse(JSON.parse(columns.network)),
    record: record === null ? undefined : Record.parse(JSON.parse(record)),
    createdAt: columns.created_at,
    startedMs: columns.started_ms,
    processesEndMs: columns.processes_end_ms ?? undefined,
  };
}
