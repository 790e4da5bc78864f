import type { SessionEvent } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";

/** The sidecar answers with what there is, or with nothing after this. */
const WAIT_MS = 30_000;

export interface ReadFrom {
  readonly sessionId: string;
  /** The last seq that the reader has. */
  readonly after: number;
  readonly signal?: AbortSignal | undefined;
}

/** A session's transcript from a place on, as it grows; over as many connections as that takes. Ends with the session. */
export async function* readSession(
  admin: VmAdmin,
  { sessionId, after, signal }: ReadFrom,
): AsyncGenerator<SessionEvent, void, undefined> {
  for (let last = after; ;) {
    const batch = await admin.request(
      "session.events",
      { sessionId, after: last, waitMs: WAIT_MS },
      { signal, deadlineMs: null },
    );
    for (const event of batch.events) {
      last = event.seq;
      yield event;
    }
    if (batch.ended) return;
  }
}
