import type {
  AgentRuntime,
  ClientCallbacks,
  Clock,
  ModelGateway,
  SessionRef,
  SessionStore,
  SessionVms,
  ToolDoors,
  ToolSource,
} from "@agentos/core";
import type { SessionEvent, SessionSpec, Usage } from "@agentos/protocol";

import type { HookRunner, OpenHooks } from "../hook-runner.ts";
import type { RequestBook } from "../request-book.ts";
import type { Subagents } from "../subagents.ts";
import type { OpenToolDesk } from "../tool-desk.ts";
import type { Entry } from "./step-builder.ts";
import type { SessionRecord } from "./session-record.ts";
import type { VmAccess } from "./vm-access.ts";

/** Where the engine's own troubles go. Nothing of a guest's data belongs in it. */
export interface SessionLog {
  warn(facts: Record<string, unknown>, message: string): void;
  error(facts: Record<string, unknown>, message: string): void;
}

/** What every session of a sidecar works with. */
export interface SessionHostOptions {
  readonly runtimes: readonly AgentRuntime[];
  readonly store: SessionStore;
  readonly vms: SessionVms;
  /** A user's functions: ids of two users may be the same. */
  readonly callbacks: (user: string) => ClientCallbacks;
  readonly openTools: OpenToolDesk;
  readonly openHooks: OpenHooks;
  /** How agents in VMs reach their models. Undefined: they can't. */
  readonly gateway?: ModelGateway | undefined;
  /** The same for their tools. */
  readonly toolDoors?: ToolDoors | undefined;
  readonly clock: Clock;
  readonly log: SessionLog;
  /** Default `DEFAULTS.sessionsPerSidecar`. */
  readonly maxSessions?: number | undefined;
  /** All transcripts of a user together. Default `DEFAULTS.transcriptBytes`. */
  readonly transcriptBytes?: number | undefined;
  /** Tools of the sidecar that sessions have besides. */
  readonly toolSources?: readonly ToolSource[] | undefined;
  /** Every event of every session, once it is stored. Must not throw. */
  readonly onEvents?: ((ref: SessionRef, events: readonly SessionEvent[]) => void) | undefined;
  /** Sessions or turns came or went. */
  readonly onChange?: (() => void) | undefined;
}

/** One model call of a session, or of one below it. */
export interface CountedCall {
  readonly usage: Usage;
  /** As its provider names it. */
  readonly model?: string | undefined;
  readonly hasToolCalls: boolean;
  /** Another call follows all the same. */
  readonly goesOn?: boolean | undefined;
  /** The subagent's session; undefined: the main agent. */
  readonly agent?: string | undefined;
}

/** A session above a subagent's. */
export interface ParentSession {
  /** What the subagent used counts for it too. Throws `BUDGET_EXHAUSTED`. */
  modelCalled(used: CountedCall): void;
  /** Of a subagent that a tool started: its events are told in the parent's turn, its requests asked there. */
  readonly within: { readonly requests: RequestBook; tell(entry: Entry): void } | undefined;
}

/** What one session is made of. */
export interface SessionParts {
  readonly host: SessionHostOptions;
  readonly runtime: AgentRuntime;
  readonly record: SessionRecord;
  readonly spec: SessionSpec;
  readonly access: VmAccess;
  readonly hooks: HookRunner;
  readonly callbacks: ClientCallbacks;
  readonly requests: RequestBook;
  readonly subagents: Subagents | undefined;
  readonly parent: ParentSession | undefined;
  readonly notice: (message: string) => void;
  /** Throws `POOL_EXHAUSTED` where its user's transcripts have as much as there may be. */
  readonly makeRoom: () => void;
}

/** Where an agent works unless its specification says. */
export const DEFAULT_CWD = "/workspace";
