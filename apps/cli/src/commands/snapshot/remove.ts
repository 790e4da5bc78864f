import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { printable } from "../../output/printable.ts";
import { write, writeJson } from "../../output/write.ts";

/** `agentos snapshot remove SNAPSHOT`. */
export async function remove(
  io: Io,
  { pool, json }: GlobalOptions,
  snapshot: string,
): Promise<number> {
  await AgentOs.removeSnapshot(snapshot, { pool });
  if (json === true) await writeJson(io.stdout, { snapshot, removed: true });
  else await write(io.stdout, `${printable(snapshot)} is removed\n`);
  return EXIT_CODE.ok;
}
