import { AgentOs, type SessionSummary } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatAge } from "../../output/quantity.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";

const COLUMNS: readonly Column<SessionSummary>[] = [
  { title: "SESSION", value: ({ sessionId }) => sessionId },
  { title: "RUNTIME", value: ({ runtime }) => runtime },
  { title: "MODEL", value: ({ model }) => model ?? "-" },
  { title: "STATE", value: ({ state }) => state },
  { title: "TURNS", value: ({ turns }) => String(turns), align: "right" },
  {
    title: "COST",
    value: ({ costUsd }) => (costUsd === null ? "-" : `$${costUsd.toFixed(4)}`),
    align: "right",
  },
  {
    title: "AGE",
    value: ({ createdAt }) => formatAge(Date.now() - Date.parse(createdAt)),
    align: "right",
  },
  { title: "VM", value: ({ vmId }) => vmId },
];

/** `agentos session list`. */
export async function list(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const sessions = await AgentOs.listSessions({ pool });
  if (json === true) await writeJson(io.stdout, { sessions });
  else
    await write(
      io.stdout,
      sessions.length === 0 ? "no sessions\n" : formatTable(COLUMNS, sessions),
    );
  return EXIT_CODE.ok;
}
