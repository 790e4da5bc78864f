import { Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { readable } from "../../output/readable.ts";
import { write, writeJson } from "../../output/write.ts";
import { printMessages } from "./print-messages.ts";

/** `agentos deadletters`: those there are, or one sent again. */
export async function deadLetters(
  io: Io,
  { pool, json }: GlobalOptions,
  { redeliver, to }: { redeliver?: string; to?: string },
): Promise<number> {
  const relay = Relay.connect({ pool });
  if (redeliver !== undefined) {
    const sent = await relay.redeliver(redeliver, to === undefined ? {} : { to });
    if (json === true) await writeJson(io.stdout, sent);
    else await write(io.stdout, readable(`${sent.deliveryId} to ${sent.recipient}\n`));
    return EXIT_CODE.ok;
  }
  const entries = await relay.deadLetters();
  if (json === true) await writeJson(io.stdout, { entries });
  else if (entries.length === 0) await write(io.stdout, "no dead letters\n");
  else {
    const shown = entries.map(({ message, delivery }) => {
      const { deliveryId, recipient, reason = "unknown" } = delivery;
      return { message, about: `${deliveryId}: ${recipient}, ${reason}` };
    });
    await printMessages(io, shown);
  }
  return EXIT_CODE.ok;
}
