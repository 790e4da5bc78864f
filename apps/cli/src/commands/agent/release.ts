import { Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { readable } from "../../output/readable.ts";
import { write, writeJson } from "../../output/write.ts";

export interface ReleaseOptions {
  readonly reason?: string;
}

/** `agentos agent release NAME`. */
export async function release(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string,
  { reason }: ReleaseOptions,
): Promise<number> {
  await Relay.connect({ pool }).release(name, reason === undefined ? {} : { reason });
  if (json === true) await writeJson(io.stdout, { released: name });
  else await write(io.stdout, readable(`${name}\n`));
  return EXIT_CODE.ok;
}
