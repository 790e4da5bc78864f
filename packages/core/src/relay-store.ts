import type {
  AgentSpec,
  AgentState,
  Continuity,
  CrashRecord,
  Delivery,
  InboxEntry,
  RelayEvent,
  RelayMessage,
} from "@agentos/protocol";

/** An agent as it is written. The specification is sealed: it may hold a key. */
export interface StoredAgent {
  readonly agentId: string;
  readonly name: string;
  readonly vmId: string;
  readonly spec: AgentSpec;
  readonly state: AgentState;
  /** By name, without `#`. */
  readonly channels: readonly string[];
  /** What it confirmed last. */
  readonly model: string | null;
  readonly restarts: number;
  /** Its mail stays in its mailbox. */
  readonly held: boolean;
  readonly createdAt: number;
}

export type AgentChange = Partial<
  Pick<StoredAgent, "state" | "channels" | "model" | "restarts" | "held">
>;

/** A delivery as it is written. */
export interface StoredDelivery extends Delivery {
  /** Of the agent that it is for; a name may have another owner later. `null`: a person. */
  readonly agentId: string | null;
  readonly priority: number;
  readonly bytes: number;
  readonly acceptedAt: number;
  /** The session's last seq when it was handed over. */
  readonly sessionSeq: number | null;
}

export type DeliveryChange = Pick<StoredDelivery, "deliveryId"> &
  Partial<
    Pick<StoredDelivery, "state" | "reason" | "detail" | "attempts" | "history" | "sessionSeq">
  >;

/** What one transaction writes, all of it or nothing. */
export interface RelayWrite {
  /** Their seqs follow the last one without a gap. */
  readonly events?: readonly RelayEvent[];
  readonly addAgent?: StoredAgent;
  readonly changeAgent?: { agentId: string; change: AgentChange };
  readonly addMessages?: readonly RelayMessage[];
  readonly addDeliveries?: readonly StoredDelivery[];
  readonly changeDeliveries?: readonly DeliveryChange[];
  readonly addCrash?: CrashRecord;
  readonly saveContinuity?: Continuity;
}

export interface RelayCursor {
  readonly after: number;
  readonly limit: number;
  /** The last ones that match, instead of the first. */
  readonly newest: boolean;
  readonly maxBytes: number;
  readonly agent?: string | undefined;
  readonly messageId?: string | undefined;
  readonly types?: readonly string[] | undefined;
}

export interface HistoryQuery {
  readonly channel?: string | undefined;
  readonly threadId?: string | undefined;
  readonly agent?: string | undefined;
  readonly text?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
  readonly maxBytes: number;
}

export interface StoredThread {
  readonly threadId: string;
  readonly messages: number;
  readonly participants: string[];
  readonly lastAt: number;
  readonly preview: string;
}

/** Counts that only grow. */
export interface RelayTotals {
  readonly spawned: number;
  readonly crashes: number;
  readonly restarts: number;
}

/** One user's relay, as it is kept. Every method is done, and durable, when it returns. */
export interface RelayStore {
  write(write: RelayWrite): void;
  /** The log's last seq. */
  readonly lastSeq: number;
  /** The seq of the oldest event that is kept. */
  readonly oldestSeq: number;
  events(cursor: RelayCursor): readonly RelayEvent[];
  /** Those that were not released and not given up, in the order of their start. */
  livingAgents(): readonly StoredAgent[];
  agentById(agentId: string): StoredAgent | undefined;
  /** The last one of that name. */
  agentNamed(name: string): StoredAgent | undefined;
  message(messageId: string): RelayMessage | undefined;
  deliveries(messageId: string): readonly StoredDelivery[];
  delivery(deliveryId: string): StoredDelivery | undefined;
  /** Those that may still change, in the order of their acceptance. Of an agent by its id; `null`: of people. */
  open(agentId: string | null): readonly StoredDelivery[];
  /** Those that may still change, of agents that live no more. */
  orphans(): readonly StoredDelivery[];
  /** Of one recipient by its name, oldest first. */
  inbox(request: {
    recipient: string;
    all: boolean;
    limit: number;
    maxBytes: number;
  }): readonly InboxEntry[];
  deadLetters(limit: number, maxBytes: number): readonly InboxEntry[];
  /** Newest first. */
  history(query: HistoryQuery): readonly RelayMessage[];
  threads(limit: number): readonly StoredThread[];
  /** Who wrote in a thread, and who was written to. */
  participants(threadId: string): readonly string[];
  /** Whether `from` has written to `recipient`. */
  hasWritten(from: string, recipient: string): boolean;
  crashes(): readonly CrashRecord[];
  readonly totals: RelayTotals;
  continuity(agentName: string): Continuity | undefined;
}

/** Every user's. */
export interface RelayStores {
  of(user: string): RelayStore;
  /** Users that have living agents or open deliveries. */
  users(): readonly string[];
}
