import { type AgentInfo, Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatAge } from "../../output/quantity.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";

const COLUMNS: readonly Column<AgentInfo>[] = [
  { title: "AGENT", value: ({ name }) => name },
  { title: "RUNTIME", value: ({ runtime }) => runtime },
  { title: "MODEL", value: ({ model }) => model ?? "-" },
  { title: "STATE", value: ({ state, activity }) => (state === "ready" ? activity : state) },
  { title: "WAITING", value: ({ pending }) => String(pending), align: "right" },
  { title: "CHANNELS", value: ({ channels }) => channels.map((name) => `#${name}`).join(" ") },
  { title: "AGE", value: ({ createdAt }) => formatAge(Date.now() - createdAt), align: "right" },
  { title: "VM", value: ({ vmId }) => vmId },
];

/** `agentos agent list`. */
export async function list(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const agents = await Relay.connect({ pool }).agents();
  if (json === true) await writeJson(io.stdout, { agents });
  else await write(io.stdout, agents.length === 0 ? "no agents\n" : formatTable(COLUMNS, agents));
  return EXIT_CODE.ok;
}
