import { resolve } from "node:path";

import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";

/** `agentos image add NAME PATH`: a directory, or an archive. */
export async function add(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string,
  path: string,
): Promise<number> {
  const image = await AgentOs.addImage(name, resolve(io.directory, path), { pool });
  if (json === true) await writeJson(io.stdout, image);
  else await write(io.stdout, `${image.name}\n`);
  return EXIT_CODE.ok;
}
