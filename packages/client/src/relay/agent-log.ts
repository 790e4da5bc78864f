import type { SessionEvent } from "@agentos/protocol";

import type { RelayLink } from "./relay-link.ts";

/** The sidecar answers with what there is, or with nothing after this. */
const WAIT_MS = 30_000;

export interface AgentLogOptions {
  /** Goes on with what comes. Default false. */
  readonly follow?: boolean;
  /** The last seq that the reader has. Default 0. */
  readonly after?: number;
  readonly signal?: AbortSignal;
}

/** A piece of what an agent put out. */
export interface AgentLogEntry {
  readonly seq: number;
  readonly at: number;
  readonly stream: "said" | "thought" | "tool";
  readonly text: string;
}

/** What an agent, alive or not, has put out. Rejects with `NOT_FOUND`. */
export async function* readAgentLog(
  link: RelayLink,
  name: string,
  { follow = false, after = 0, signal }: AgentLogOptions,
): AsyncGenerator<AgentLogEntry, void, undefined> {
  const { sessionId } = await link.request("relay.agent", { name });
  for (let last = after; ;) {
    const batch = await link.request(
      "session.events",
      { sessionId, after: last, ...(follow ? { waitMs: WAIT_MS } : {}) },
      { signal, deadlineMs: null },
    );
    for (const event of batch.events) {
      last = event.seq;
      const entry = entryOf(event);
      if (entry !== undefined) yield entry;
    }
    if (batch.ended || (!follow && batch.events.length === 0)) return;
  }
}

function entryOf(event: SessionEvent): AgentLogEntry | undefined {
  const { seq, at } = event;
  if (event.type === "text") return { seq, at, stream: "said", text: event.delta };
  if (event.type === "thought") return { seq, at, stream: "thought", text: event.delta };
  if (event.type === "tool_output") return { seq, at, stream: "tool", text: event.delta };
  return undefined;
}
