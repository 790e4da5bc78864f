import type { SessionStore } from "@agentos/core";
import { AgentOsError, DEFAULTS } from "@agentos/protocol";

import type { SessionLog } from "./session-parts.ts";

/** What is let go beyond the bound, so that not every prompt has to look for more. */
const ROOM = 0.1;
/** A transcript of less is not worth its end. */
const LEAST_BYTES = 4_096;

export interface TranscriptRoomOptions {
  readonly store: Pick<SessionStore, "transcriptBytes" | "closedTranscripts">;
  /** Removes what a closed session's transcript has, and says in it why. */
  readonly forget: (key: string, why: string) => void;
  readonly log: SessionLog;
  /** Default `DEFAULTS.transcriptBytes`. */
  readonly capacity?: number | undefined;
}

/** Holds the transcripts of a user together within their bound: closed sessions give theirs up, the oldest first. */
export class TranscriptRoom {
  readonly #options: TranscriptRoomOptions;

  constructor(options: TranscriptRoomOptions) {
    this.#options = options;
  }

  /** Before a turn is taken. Throws `POOL_EXHAUSTED` where open sessions alone have as much as there may be. */
  make(user: string): void {
    const { store, capacity = DEFAULTS.transcriptBytes } = this.#options;
    const bytes = store.transcriptBytes(user);
    if (bytes < capacity || this.#letGo(user, bytes, capacity * (1 - ROOM)) < capacity) return;
    const details = { limit: "transcriptBytes", capacity, waiting: 0 };
    const message = `the transcripts of open sessions have ${capacity} bytes already: delete one, or clear its history`;
    throw new AgentOsError("POOL_EXHAUSTED", message, details);
  }

  /** What is left. */
  #letGo(user: string, from: number, downTo: number): number {
    const { store, forget, log } = this.#options;
    let left = from;
    for (const { key, bytes } of store.closedTranscripts(user)) {
      if (left <= downTo) break;
      if (bytes < LEAST_BYTES) continue;
      forget(key, "the transcript up to here was removed: all transcripts had reached their bound");
      left -= bytes;
      log.warn({ session: key, bytes }, "the transcript of a closed session was removed");
    }
    return left;
  }
}
