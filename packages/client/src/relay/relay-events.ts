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
