import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { printable } from "../output/printable.ts";
import { write, writeJson } from "../output/write.ts";

/** `agentos rm VM`: ends it for good, with its files. One that has ended is no error. */
export async function rm(io: Io, { pool, json }: GlobalOptions, vm: string): Promise<number> {
  const ended = await AgentOs.end(vm, { pool });
  if (json === true) await writeJson(io.stdout, { vm, ended });
  else await write(io.stdout, `${printable(vm)} ${ended ? "has ended" : "had ended before"}\n`);
  return EXIT_CODE.ok;
}
