import { AgentOs, type SessionSummary } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatAge } from "../../output/quantity.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";

/** A session, with what its VM is called. */
interface Listed extends SessionSummary {
  readonly vm: string;
}

const COLUMNS: readonly Column<Listed>[] = [
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
  { title: "VM", value: ({ vm }) => vm },
];

/** `agentos session list`. */
export async function list(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const sessions = await AgentOs.listSessions({ pool });
  if (json === true) {
    await writeJson(io.stdout, { sessions });
    return EXIT_CODE.ok;
  }
  const vms = await AgentOs.list({ pool });
  const listed = sessions.map((session): Listed => {
    const name = vms.find(({ vmId }) => vmId === session.vmId)?.name;
    return { ...session, vm: name ?? session.vmId };
  });
  await write(io.stdout, listed.length === 0 ? "no sessions\n" : formatTable(COLUMNS, listed));
  return EXIT_CODE.ok;
}
