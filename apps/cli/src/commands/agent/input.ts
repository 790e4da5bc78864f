import { Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";

/** `agentos agent input NAME TEXT`. */
export async function input(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string,
  text: string,
): Promise<number> {
  const typed = text.replaceAll(String.raw`\n`, "\n");
  const taken = await Relay.connect({ pool }).input(name, typed);
  if (json === true) await writeJson(io.stdout, taken);
  else await write(io.stdout, `${taken.bytes} bytes\n`);
  return EXIT_CODE.ok;
}
