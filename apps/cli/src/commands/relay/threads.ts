import { Relay, type RelayThread } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatAge } from "../../output/quantity.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";
import { printMessages } from "./print-messages.ts";

const COLUMNS: readonly Column<RelayThread>[] = [
  { title: "THREAD", value: ({ threadId }) => threadId },
  { title: "MESSAGES", value: ({ messages }) => String(messages), align: "right" },
  { title: "LAST", value: ({ lastAt }) => formatAge(Date.now() - lastAt), align: "right" },
  { title: "WHO", value: ({ participants }) => participants.join(" ") },
  { title: "SAYS", value: ({ preview }) => preview },
];

/** `agentos threads [THREAD]`. */
export async function threads(
  io: Io,
  { pool, json }: GlobalOptions,
  threadId: string | undefined,
): Promise<number> {
  const relay = Relay.connect({ pool });
  if (threadId !== undefined) {
    const messages = (await relay.history({ threadId })).toReversed();
    if (json === true) await writeJson(io.stdout, { messages });
    else
      await printMessages(
        io,
        messages.map((message) => ({ message })),
      );
    return EXIT_CODE.ok;
  }
  const found = await relay.threads();
  if (json === true) await writeJson(io.stdout, { threads: found });
  else await write(io.stdout, found.length === 0 ? "no threads\n" : formatTable(COLUMNS, found));
  return EXIT_CODE.ok;
}
