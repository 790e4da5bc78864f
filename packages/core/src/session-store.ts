import type {
  Content,
  Json,
  PendingRequest,
  RequestAnswer,
  RequestOutcome,
  SessionEvent,
  SessionSpec,
  SessionState,
  SessionUsage,
  Step,
  TurnSource,
} from "@agentos/protocol";

import type { StoredTrace } from "./agent-trace.ts";

/** What a session has used of its budget besides tokens and money. */
export interface SessionSpent {
  readonly modelCalls: number;
  /** Model calls that asked for a tool. */
  readonly toolTurns: number;
  readonly wallMs: number;
}

/** A session as it is written. The specification is sealed: it may hold a key. */
export interface StoredSession {
  readonly user: string;
  readonly vmId: string;
  readonly spec: SessionSpec;
  /** The session that it is below, or a fork of. */
  readonly parent: string | undefined;
  /** It ends with its parent, and what it uses counts for it. */
  readonly isSubagent: boolean;
  readonly createdAt: string;
  readonly state: SessionState;
  readonly agentSessionId: string | null;
  /** Null: nobody could go on with its agent's program. */
  readonly agentTrace: StoredTrace | null;
  readonly turns: number;
  readonly usage: SessionUsage;
  readonly spent: SessionSpent;
  readonly compactions: readonly number[];
  readonly lastResponse: string | null;
  readonly lastSeq: number;
  /** The index of the history's next step. */
  readonly nextStep: number;
  /** Whether something woke it since it was last asked. */
  readonly woken: boolean;
}

export type SessionChange = Partial<Omit<StoredSession, "user" | "createdAt" | "lastSeq">>;

/** A turn that was taken and has not ended. */
export interface StoredTurn {
  readonly turnId: string;
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
  /** Their seqs follow the last one without a gap. */
  readonly events?: readonly SessionEvent[];
  readonly steps?: readonly Step[];
  /** Events up to this seq are forgotten. */
  readonly dropEventsTo?: number;
  /** Steps of a lower index are forgotten. */
  readonly dropStepsBefore?: number;
  readonly change?: SessionChange;
  readonly addTurn?: StoredTurn;
  readonly runTurn?: string;
  /** The turn with that id stays known. */
  readonly endTurn?: string;
  readonly openRequest?: PendingRequest;
  /** `answer`: nobody waits for it, and it is kept. */
  readonly settleRequest?: { requestId: string; outcome: RequestOutcome; answer?: RequestAnswer };
  /** The kept answer of that request is used, or never will be. */
  readonly dropAnswer?: string;
}

/** A batch ends before it has more than `limit` entries or `maxBytes`, but has one where there is one. */
export interface SessionBatch {
  readonly after: number;
  readonly limit: number;
  readonly maxBytes: number;
}

/**
 * Where sessions are kept, by keys that are unique across users. Every method is done, and durable,
 * when it returns.
 */
export interface SessionStore {
  /** What is written meanwhile is written as a whole, or not at all where the work throws. */
  together<T>(work: () => T): T;
  add(key: string, session: StoredSession): void;
  /** Another session with the transcript, history, known turns and runtime state of `from`. */
  copy(from: string, key: string, session: StoredSession): void;
  write(key: string, write: SessionWrite): void;
  /** Those of several sessions in one transaction. */
  writeAll(writes: readonly { key: string; write: SessionWrite }[]): void;
  remove(key: string): void;
  find(key: string): StoredSession | undefined;
  list(user: string): readonly { key: string; session: StoredSession }[];
  /** Those of every user that were open when the last life ended. */
  open(): readonly { key: string; session: StoredSession }[];
  /** In the order in which they were taken. */
  turns(key: string): readonly StoredTurn[];
  /** The seq that a turn was taken at. Turns that ended are known too: a repeated prompt is not run twice. */
  turnSeq(key: string, turnId: string): number | undefined;
  events(key: string, batch: SessionBatch): readonly SessionEvent[];
  /** Bytes of all events of the user's sessions. */
  transcriptBytes(user: string): number;
  /** Those of sessions that are not open, the oldest first. */
  closedTranscripts(user: string): readonly { key: string; bytes: number }[];
  steps(key: string, batch: SessionBatch): readonly Step[];
  /** Those that are open. */
  requests(key: string): readonly PendingRequest[];
  /** Answers that wait for their agent to ask again. */
  keptAnswers(key: string): readonly { request: PendingRequest; answer: RequestAnswer }[];
  /** How a settled request ended. */
  outcome(key: string, requestId: string): RequestOutcome | undefined;
  /** The runtime's own state, in order. */
  runtimeState(key: string): readonly Json[];
  appendRuntimeState(key: string, entries: readonly Json[]): void;
  replaceRuntimeState(key: string, entries: readonly Json[]): void;
}
