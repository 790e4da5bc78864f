import type { RelayMessage } from "@agentos/client";

import type { Io } from "../../io.ts";
import { printable } from "../../output/printable.ts";
import { readable } from "../../output/readable.ts";
import { write } from "../../output/write.ts";

/** Messages as a person reads them: a line about each, then its text, indented. */
export async function printMessages(
  io: Io,
  messages: readonly { message: RelayMessage; about?: string }[],
): Promise<void> {
  for (const { message, about } of messages) {
    const { from, to, messageId, at, text } = message;
    const more = about === undefined ? "" : `  ${about}`;
    const head = `${new Date(at).toISOString()}  ${from} -> ${to}  ${messageId}${more}`;
    const body = readable(text).replaceAll("\n", "\n  ");
    await write(io.stdout, `${printable(head)}\n  ${body}\n`);
  }
}
