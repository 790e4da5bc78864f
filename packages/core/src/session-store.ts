import type {
  Content,
  Json,
  PendingRequest,
  RequestOutcome,
  SessionEvent,
  SessionSpec,
  SessionState,
  SessionUsage,
  Step,
  TurnSource,
} from "@agentos/protocol";

/** A session as it is written. The specification is sealed: it may hold a key. */
export interface StoredSession {
  readonly user: string;
  readonly vmId: string;
  readonly spec: SessionSpec;
  readonly parent: string | undefined;
  readonly createdAt: string;
  readonly state: SessionState;
  readonly agentSessionId: string | null;
  readonly turns: number;
  readonly usage: SessionUsage;
  readonly compactions: readonly number[];
  readonly lastResponse: string | null;
  readonly lastSeq: number;
  /** Whether something woke it since it was last asked. */
  readonly woken: boolean;
}

export type SessionChange = Partial<Omit<StoredSession, "user" | "createdAt" | "lastSeq">>;

/** A turn that was taken and has not ended. */
export interface StoredTurn {
  readonly turnId: string;
  readonly sessionId: string;
  readonly content: Content;
  readonly source: TurnSource;
  readonly resumeOnRateLimit: boolean;
  readonly fence: number;
  /** The transcript's last seq when it was taken. */
  readonly seq: number;
  readonly state: "queued" | "running";
}

/** What one transaction writes of a session, all of it or nothing. */
export interface SessionWrite {
  readonly sessionId: string;
  /** Their seqs follow the last one without a gap. */
  readonly events?: readonly SessionEvent[];
  readonly steps?: readonly Step[];
  readonly change?: SessionChange;
  readonly addTurn?: StoredTurn;
  readonly runTurn?: string;
  readonly endTurn?: string;
  readonly openRequest?: PendingRequest;
  readonly settleRequest?: { requestId: string; outcome: RequestOutcome };
  readonly clearHistory?: boolean;
}

/** Where sessions are kept. Every method is done, and durable, when it returns. */
export interface SessionStore {
  add(sessionId: string, session: StoredSession): void;
  write(write: SessionWrite): void;
  /** Another session with this one's transcript, history, known turns and runtime state. */
  copy(from: string, sessionId: string, session: StoredSession): void;
  remove(sessionId: string): void;
  find(sessionId: string): StoredSession | undefined;
  list(user: string): readonly { sessionId: string; session: StoredSession }[];
  /** Those of every user that were open when the last life ended. */
  open(): readonly { sessionId: string; session: StoredSession }[];
  turns(sessionId: string): readonly StoredTurn[];
  /** The seq that a turn was taken at. Turns that ended are known too: a repeated prompt is not run twice. */
  turnSeq(sessionId: string, turnId: string): number | undefined;
  /** At most `limit` events and about `maxBytes`, but at least one where there is one. */
  events(
    sessionId: string,
    after: number,
    limit: number,
    maxBytes: number,
  ): readonly SessionEvent[];
  steps(sessionId: string, after: number, limit: number): readonly Step[];
  requests(sessionId: string): readonly PendingRequest[];
  /** How a settled request ended. */
  outcome(sessionId: string, requestId: string): RequestOutcome | undefined;
  /** The runtime's own state, in order. */
  runtimeState(sessionId: string): readonly Json[];
  appendRuntimeState(sessionId: string, entries: readonly Json[]): void;
  replaceRuntimeState(sessionId: string, entries: readonly Json[]): void;
}
