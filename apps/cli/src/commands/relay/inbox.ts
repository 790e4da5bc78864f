import { Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { printMessages } from "./print-messages.ts";

export interface InboxOptions {
  readonly of?: string;
  readonly take?: boolean;
  readonly all?: boolean;
}

/** `agentos inbox`. */
export async function inbox(
  io: Io,
  { pool, json }: GlobalOptions,
  options: InboxOptions,
): Promise<number> {
  const { of, all, take } = options;
  const entries = await Relay.connect({ pool }).inbox({
    ...(of === undefined ? {} : { of }),
    ...(all === undefined ? {} : { all }),
    ...(take === undefined ? {} : { take }),
  });
  if (json === true) await writeJson(io.stdout, { entries });
  else if (entries.length === 0) await write(io.stdout, "no messages\n");
  else {
    const shown = entries.map(({ message, delivery }) => ({ message, about: delivery.state }));
    await printMessages(io, shown);
  }
  return EXIT_CODE.ok;
}
