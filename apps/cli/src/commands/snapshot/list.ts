import { AgentOs, type SnapshotInfo } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatAge } from "../../output/quantity.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";

const COLUMNS: readonly Column<SnapshotInfo>[] = [
  { title: "NAME", value: ({ name }) => name ?? "-" },
  { title: "SNAPSHOT", value: ({ snapshotId }) => snapshotId },
  { title: "OF", value: ({ vmName, vmId }) => vmName ?? vmId },
  { title: "IMAGE", value: ({ image }) => image },
  {
    title: "AGE",
    value: ({ createdAt }) => formatAge(Date.now() - Date.parse(createdAt)),
    align: "right",
  },
  { title: "VMS", value: ({ vms }) => String(vms.length), align: "right" },
];

/** `agentos snapshot list`. */
export async function list(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const snapshots = await AgentOs.snapshots({ pool });
  if (json === true) await writeJson(io.stdout, { snapshots });
  else if (snapshots.length === 0) await write(io.stdout, "no snapshots\n");
  else await write(io.stdout, formatTable(COLUMNS, snapshots));
  return EXIT_CODE.ok;
}
