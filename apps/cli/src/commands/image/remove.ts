import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { printable } from "../../output/printable.ts";
import { write, writeJson } from "../../output/write.ts";

/** `agentos image remove NAME`. A directory that it is stays as it is. */
export async function remove(io: Io, { pool, json }: GlobalOptions, name: string): Promise<number> {
  await AgentOs.removeImage(name, { pool });
  if (json === true) await writeJson(io.stdout, { image: name, removed: true });
  else await write(io.stdout, `${printable(name)} is removed\n`);
  return EXIT_CODE.ok;
}
