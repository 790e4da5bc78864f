import type { AgentModes, SessionStore } from "@agentos/core";
import {
  DEFAULTS,
  type PendingRequest,
  type RateLimitWindow,
  type SessionEvent,
  type SessionInfo,
  type SessionSummary,
  type Step,
  type ToolInfo,
} from "@agentos/protocol";
import type { StoredSession } from "@agentos/core";

import { SESSION_BOUNDS } from "./session-bounds.ts";
import type { SessionRecord } from "./session-record.ts";
import type { ReadRequest } from "./transcript.ts";

/** What only an open session has. */
export interface LiveFacts {
  readonly turnId: string | null;
  readonly queued: number;
  readonly pending: PendingRequest[];
  readonly tools: readonly ToolInfo[];
  readonly modes: AgentModes | undefined;
  readonly rateLimits: readonly RateLimitWindow[];
}

const NOTHING_LIVE: LiveFacts = {
  turnId: null,
  queued: 0,
  pending: [],
  tools: [],
  modes: undefined,
  rateLimits: [],
};

/** What may be read of a session, open or not. */
export class SessionView {
  readonly #record: SessionRecord;
  readonly #store: SessionStore;
  readonly #live: () => LiveFacts;

  constructor(
    record: SessionRecord,
    store: SessionStore,
    live: () => LiveFacts = () => NOTHING_LIVE,
  ) {
    this.#record = record;
    this.#store = store;
    this.#live = live;
  }

  info(): SessionInfo {
    const { now } = this.#record;
    const { turnId, queued, pending, tools, modes, rateLimits } = this.#live();
    return {
      ...summaryOf(now),
      agentSessionId: now.agentSessionId,
      turnId,
      queued,
      usage: now.usage,
      compactions: [...now.compactions],
      lastResponse: now.lastResponse,
      pending,
      tools: [...tools],
      modes: [...(modes?.available ?? [])],
      mode: modes?.current ?? now.spec.mode ?? null,
      rateLimits: [...rateLimits],
      lastSeq: now.lastSeq,
    };
  }

  async events(
    request: ReadRequest,
    signal: AbortSignal,
  ): Promise<{ events: SessionEvent[]; ended: boolean }> {
    const waitMs = this.#record.isOpen ? request.waitMs : 0;
    const events = [...(await this.#record.transcript.read({ ...request, waitMs }, signal))];
    const seen = events.at(-1)?.seq ?? request.after;
    // The end of a transcript may have been forgotten.
    const isAll = events.length === 0 || seen >= this.#record.now.lastSeq;
    return { events, ended: !this.#record.isOpen && isAll };
  }

  history(request: { after?: number | undefined; limit?: number | undefined }): Step[] {
    const { after = -1, limit = SESSION_BOUNDS.batchEntries } = request;
    const batch = { after, limit, maxBytes: DEFAULTS.eventBatchBytes };
    return [...this.#store.steps(this.#record.key, batch)];
  }
}

export function summaryOf({
  spec,
  vmId,
  state,
  parent,
  createdAt,
  turns,
  usage,
}: StoredSession): SessionSummary {
  return {
    sessionId: spec.sessionId,
    vmId,
    runtime: spec.runtime,
    provider: spec.provider?.name ?? null,
    model: spec.model ?? null,
    state,
    ...(parent === undefined ? {} : { parent }),
    createdAt,
    turns,
    costUsd: usage.total.costUsd,
  };
}
