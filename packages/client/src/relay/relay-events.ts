import type { MethodParams, RelayEvent } from "@agentos/protocol";

import type { RelayLink } from "./relay-link.ts";

/** The sidecar answers with what there is, or with nothing after this. */
const WAIT_MS = 30_000;

export interface RelayEventOptions {
  /** The last seq that the reader has. Default 0: from the oldest that is kept. */
  readonly after?: number;
  /** Only of this agent. */
  readonly agent?: string;
  /** Only of this message. */
  readonly messageId?: string;
  /** Only of these kinds. */
  readonly types?: readonly RelayEvent["type"][];
  /** False: ends with what there is now. Default true. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The seq of the log's last event; 0 where there is none. */
export async function lastRelaySeq(link: RelayLink, signal?: AbortSignal): Promise<number> {
  const { seq } = await link.request(
    "relay.events",
    { after: 0, newest: true, limit: 1 },
    { signal },
  );
  return seq;
}

export interface RelayEventQuery extends Pick<
  RelayEventOptions,
  "agent" | "messageId" | "types" | "signal"
> {
  /** The last so many of those that match. Default 100. */
  readonly limit?: number;
}

/** The log's last events that match, oldest first. */
export async function lastRelayEvents(
  link: RelayLink,
  { limit = 100, types, signal, ...filter }: RelayEventQuery,
): Promise<RelayEvent[]> {
  const kinds = types === undefined ? {} : { types: [...types] };
  const query = { ...filter, ...kinds, after: 0, newest: true, limit };
  return (await link.request("relay.events", query, { signal })).events;
}

/** The relay's log from a place on, as it grows. */
export async function* readRelayEvents(
  link: RelayLink,
  { after = 0, follow = true, signal, types, ...filter }: RelayEventOptions,
): AsyncGenerator<RelayEvent, void, undefined> {
  const wanted: Omit<MethodParams<"relay.events">, "after"> = {
    ...filter,
    ...(types === undefined ? {} : { types: [...types] }),
    ...(follow ? { waitMs: WAIT_MS } : {}),
  };
  for (let last = after; ;) {
    const batch = await link.request(
      "relay.events",
      { ...wanted, after: last },
      { signal, deadlineMs: null },
    );
    yield* batch.events;
    last = batch.seq;
    if (!follow && batch.events.length === 0) return;
  }
}
