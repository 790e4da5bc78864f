import { AgentOs, type ImageInfo } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";

const COLUMNS: readonly Column<ImageInfo>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "KIND", value: ({ kind }) => kind },
  { title: "SOURCE", value: ({ source }) => source ?? "-" },
];

/** `agentos image list`. */
export async function list(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const images = await AgentOs.images({ pool });
  if (json === true) await writeJson(io.stdout, { images });
  else await write(io.stdout, formatTable(COLUMNS, images));
  return EXIT_CODE.ok;
}
