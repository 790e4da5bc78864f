import type {
  Content,
  SessionEvent,
  SessionSpec,
  SessionState,
  TurnResult,
} from "@agentos/protocol";

import type { RuntimeCapabilities } from "./agent-runtime.ts";

export interface SessionRef {
  readonly user: string;
  readonly sessionId: string;
}

/** The VM that a session is opened in, by who holds it. */
export interface AgentPlace {
  readonly user: string;
  readonly vmId: string;
  readonly fence: number;
}

/** What the relay needs to know of an open session. */
export interface SessionLook {
  readonly state: SessionState;
  readonly transport: RuntimeCapabilities["transport"];
  readonly canSteer: boolean;
  readonly model: string | null;
  /** Of its transcript. */
  readonly lastSeq: number;
}

/** What a transcript says of one turn. */
export interface TurnProgress {
  readonly begun: boolean;
  readonly result: TurnResult | undefined;
}

/** What an agent's processes use; `null` where it can't be known. */
export interface AgentUse {
  readonly pids: readonly number[];
  readonly memoryBytes: number | null;
  readonly cpuMs: number | null;
}

/** The session engine, as the relay sees it. */
export interface AgentSessions {
  /** Opens a session, or finds the one of that id. Rejects as the engine does, and nothing of it is left. */
  open(place: AgentPlace, spec: SessionSpec): Promise<void>;
  /** Whether such a session could be opened; resolves with what was found. Rejects with why not. */
  check(place: AgentPlace, spec: SessionSpec): Promise<string>;
  /** Undefined: it is not open, or not any more. */
  look(ref: SessionRef): SessionLook | undefined;
  /** Where it is; undefined: it is not open. */
  place(ref: SessionRef): AgentPlace | undefined;
  /**
   * Takes a prompt as a turn; stored when this returns, with the transcript's last seq before it. The same turnId again
   * is the same turn. Throws `SESSION_CLOSED`, `NOT_FOUND` or `POOL_EXHAUSTED`.
   */
  prompt(ref: SessionRef, turn: { turnId: string; content: Content }): { seq: number };
  /** What became of a turn by now, read after `seq`. */
  progress(ref: SessionRef, turnId: string, seq: number): Promise<TurnProgress>;
  /** Gives the running turn more to think about. False: none runs, or its agent can't. */
  steer(ref: SessionRef, content: Content): Promise<boolean>;
  /** Takes a turn that waits back, or ends it where it runs. */
  cancel(ref: SessionRef, turnId: string): Promise<void>;
  /** Resolves once the agent confirmed it. Rejects with `UNSUPPORTED`, `MODEL_SWITCH_FAILED` or `DEADLINE_EXCEEDED`. */
  setModel(ref: SessionRef, model: string, timeoutMs: number): Promise<void>;
  /** Types into the agent's terminal; resolves with the bytes it took. Rejects with `UNSUPPORTED` where it has none. */
  input(ref: SessionRef, data: string): Promise<number>;
  /** One of an earlier life goes on, with the turns that it had queued. Its VM must be there. */
  wake(ref: SessionRef): void;
  /** Starts the agent of an open session again. Rejects as opening does. */
  revive(ref: SessionRef): Promise<void>;
  /** Resolves once nothing of the agent is left; at once where it is closed. */
  close(ref: SessionRef, reason: string): Promise<void>;
  use(ref: SessionRef): Promise<AgentUse>;
  /** Puts text into a file of the session's VM, for what is too long for a prompt. */
  writeFile(ref: SessionRef, path: string, text: string): Promise<void>;
  /** Tells every event of every session once it is stored. The result ends it. */
  subscribe(listener: (ref: SessionRef, events: readonly SessionEvent[]) => void): () => void;
}
