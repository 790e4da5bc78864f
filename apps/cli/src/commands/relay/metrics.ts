import { type AgentMetrics, Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatAge, formatBytes, formatDuration } from "../../output/quantity.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";

const COLUMNS: readonly Column<AgentMetrics>[] = [
  { title: "AGENT", value: ({ name }) => name },
  {
    title: "MEMORY",
    value: ({ memoryBytes }) => (memoryBytes === null ? "-" : formatBytes(memoryBytes)),
    align: "right",
  },
  {
    title: "CPU",
    value: ({ cpuMs }) => (cpuMs === null ? "-" : formatDuration(cpuMs)),
    align: "right",
  },
  { title: "PROCESSES", value: ({ pids }) => String(pids.length), align: "right" },
  { title: "UP", value: ({ uptimeMs }) => formatAge(uptimeMs), align: "right" },
];

/** `agentos metrics [AGENT]`. */
export async function metrics(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string | undefined,
): Promise<number> {
  const found = await Relay.connect({ pool }).metrics(name === undefined ? {} : { name });
  if (json === true) {
    await writeJson(io.stdout, found);
    return EXIT_CODE.ok;
  }
  const { active, spawned, crashes, restarts } = found.relay;
  const counts = `${active} alive, ${spawned} started, ${crashes} crashes, ${restarts} restarts\n`;
  const table = found.agents.length === 0 ? "" : formatTable(COLUMNS, found.agents);
  await write(io.stdout, `${table}${counts}`);
  return EXIT_CODE.ok;
}
