import { Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";

/** `agentos agent hold|unhold|flush NAME`. */
export async function hold(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string,
  verb: "hold" | "unhold" | "flush",
): Promise<number> {
  const relay = Relay.connect({ pool });
  if (verb !== "flush") {
    await relay.hold(name, verb === "hold");
    if (json === true) await writeJson(io.stdout, { name, held: verb === "hold" });
    return EXIT_CODE.ok;
  }
  const count = await relay.flush(name);
  if (json === true) await writeJson(io.stdout, { name, count });
  else await write(io.stdout, `${count} messages\n`);
  return EXIT_CODE.ok;
}
