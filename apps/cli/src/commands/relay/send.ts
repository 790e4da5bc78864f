import { text as readAll } from "node:stream/consumers";

import { AgentOsError, type DeliveryState, Relay, type SentMessage } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { readable } from "../../output/readable.ts";
import { write, writeJson } from "../../output/write.ts";

export interface SendOptions {
  readonly from?: string;
  readonly thread?: string;
  readonly replyTo?: string;
  readonly priority?: number;
  readonly steer?: boolean;
  readonly wait?: string;
  readonly reply?: boolean;
  readonly timeout?: number;
}

const DEFAULT_TIMEOUT_S = 60;
const STATES: readonly DeliveryState[] = [
  "accepted",
  "queued",
  "handed_over",
  "consumed",
  "answered",
];

/** `agentos send TO TEXT`. */
export async function send(
  io: Io,
  { pool, json = false }: GlobalOptions,
  to: string,
  said: string,
  options: SendOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  const wanted = options.wait === undefined ? undefined : stateOf(options.wait);
  const text = said === "-" ? await readAll(io.stdin) : said;
  const sent = await Relay.connect({ pool, signal }).send(to, text, wireOptions(options));
  const waiting = { timeoutMs: (options.timeout ?? DEFAULT_TIMEOUT_S) * 1_000, signal };
  if (options.reply === true) {
    const reply = await sent.reply(waiting);
    if (json) await writeJson(io.stdout, reply);
    else await write(io.stdout, readable(`${reply.text}\n`));
    return EXIT_CODE.ok;
  }
  if (wanted !== undefined) await sent.until(wanted, waiting);
  await tell(io, json, sent);
  return EXIT_CODE.ok;
}

async function tell(io: Io, json: boolean, sent: SentMessage): Promise<void> {
  const { id, threadId, recipients } = sent;
  if (json) {
    const deliveries = await sent.deliveries();
    return await writeJson(io.stdout, { messageId: id, threadId, recipients, deliveries });
  }
  await write(io.stdout, readable(`${id}\n`));
  if (recipients.length === 0) await write(io.stderr, "agentos: nobody is there to get it\n");
}

function wireOptions({ from, thread, replyTo, priority, steer }: SendOptions): object {
  const all = {
    from,
    threadId: thread,
    replyTo,
    priority,
    mode: steer === true ? "steer" : undefined,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function stateOf(text: string): DeliveryState {
  const state = STATES.find((each) => each === text);
  if (state !== undefined) return state;
  const expected = STATES.join(", ");
  const message = `--wait: expected one of ${expected}, got ${text}`;
  throw new AgentOsError("INVALID_ARGUMENT", message, {
    argument: "--wait",
    expected,
    actual: text,
  });
}
