import { Relay, type RelayChannel } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { readable } from "../../output/readable.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";
import { printMessages } from "./print-messages.ts";

const COLUMNS: readonly Column<RelayChannel>[] = [
  { title: "CHANNEL", value: ({ name }) => `#${name}` },
  { title: "MEMBERS", value: ({ members }) => members.join(" ") },
];

/** `agentos channel list`. */
export async function list(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const channels = await Relay.connect({ pool }).channels();
  if (json === true) await writeJson(io.stdout, { channels });
  else
    await write(
      io.stdout,
      channels.length === 0 ? "no channels\n" : formatTable(COLUMNS, channels),
    );
  return EXIT_CODE.ok;
}

/** `agentos channel join AGENT CHANNEL`, and `leave`. */
export async function change(
  io: Io,
  { pool, json }: GlobalOptions,
  verb: "join" | "leave",
  name: string,
  channel: string,
): Promise<number> {
  const relay = Relay.connect({ pool });
  if (verb === "join") await relay.join(name, channel);
  else await relay.leave(name, channel);
  if (json === true) await writeJson(io.stdout, { agent: name, channel, done: verb });
  else await write(io.stdout, readable(`${channel}\n`));
  return EXIT_CODE.ok;
}

/** `agentos channel history CHANNEL`. */
export async function history(
  io: Io,
  { pool, json }: GlobalOptions,
  channel: string,
): Promise<number> {
  const messages = await Relay.connect({ pool }).history({ channel });
  if (json === true) await writeJson(io.stdout, { messages });
  else
    await printMessages(
      io,
      messages.toReversed().map((message) => ({ message })),
    );
  return EXIT_CODE.ok;
}
