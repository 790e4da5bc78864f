import { Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { readable } from "../../output/readable.ts";
import { write, writeJson } from "../../output/write.ts";

/** `agentos agent model NAME MODEL`: done once the agent confirmed it. */
export async function model(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string,
  wanted: string,
): Promise<number> {
  await Relay.connect({ pool }).setModel(name, wanted);
  if (json === true) await writeJson(io.stdout, { name, model: wanted });
  else await write(io.stdout, readable(`${wanted}\n`));
  return EXIT_CODE.ok;
}
