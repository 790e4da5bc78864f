import { type CrashRecord, Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatAge } from "../../output/quantity.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";

const COLUMNS: readonly Column<CrashRecord>[] = [
  { title: "AGENT", value: ({ agent }) => agent },
  { title: "AGO", value: ({ at }) => formatAge(Date.now() - at), align: "right" },
  { title: "AFTER", value: ({ uptimeMs }) => formatAge(uptimeMs), align: "right" },
  { title: "WHAT", value: ({ description }) => description },
];

/** `agentos health`. */
export async function health(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const found = await Relay.connect({ pool }).health();
  if (json === true) await writeJson(io.stdout, found);
  else {
    const table = found.recent.length === 0 ? "" : formatTable(COLUMNS, found.recent);
    await write(io.stdout, `${table}score ${found.score} of 100, ${found.crashes} crashes\n`);
  }
  return EXIT_CODE.ok;
}
