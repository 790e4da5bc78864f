import type { RelayEvent } from "@agentos/protocol";

import { type AgentLogEntry, readAgentLog } from "./agent-log.ts";
import { lastRelaySeq, readRelayEvents } from "./relay-events.ts";
import type { RelayLink } from "./relay-link.ts";
import { call } from "./user-callback.ts";

export interface ListenOptions {
  /** Only of this agent. */
  readonly agent?: string;
}

export type RelayEventOf<T extends RelayEvent["type"]> = Extract<RelayEvent, { type: T }>;

/** Calls with each event of the kind from now on, one after the other. The result ends it. */
export function listenToEvents<T extends RelayEvent["type"]>(
  link: RelayLink,
  type: T,
  listener: (event: RelayEventOf<T>) => unknown,
  options: ListenOptions,
): () => void {
  return listening(`the listener of ${type}`, listener, async function* tell(signal) {
    const after = await lastRelaySeq(link, signal);
    const events = readRelayEvents(link, { ...options, after, types: [type], signal });
    for await (const event of events) if (isOf(event, type)) yield event;
  });
}

/** Calls with each piece of what an agent puts out from now on, until its session ends. The result ends it. */
export function listenToOutput(
  link: RelayLink,
  name: string,
  listener: (entry: AgentLogEntry) => unknown,
): () => void {
  return listening(`the listener of ${name}'s output`, listener, async function* tell(signal) {
    const { sessionId } = await link.request("relay.agent", { name }, { signal });
    const { lastSeq: after } = await link.request("session.info", { sessionId }, { signal });
    yield* readAgentLog(link, name, { follow: true, after, signal });
  });
}

function listening<T>(
  what: string,
  listener: (value: T) => unknown,
  tell: (signal: AbortSignal) => AsyncIterable<T>,
): () => void {
  const life = new AbortController();
  const { signal } = life;
  void call(what, async () => {
    try {
      for await (const value of tell(signal)) {
        if (signal.aborted) return;
        await call(what, () => listener(value));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  });
  return () => life.abort();
}

function isOf<T extends RelayEvent["type"]>(event: RelayEvent, type: T): event is RelayEventOf<T> {
  return event.type === type;
}
