import type {
  AgentInfo,
  AgentMetrics,
  AgentOptions,
  Continuity,
  RelayCounts,
  RelayEvent,
  RelayHealth,
  SendOptions,
} from "@agentos/client";

/** What the broker needs of the relay; the client's face has it. */
export interface RelayGate extends AsyncDisposable {
  /** Starts an agent that works in that directory of the host. */
  spawn(name: string, cwd: string, options: AgentOptions): Promise<{ warning?: string }>;
  release(name: string, reason: string | undefined): Promise<void>;
  /** What a released agent left. */
  continuity(name: string): Promise<Continuity>;
  agents(): Promise<AgentInfo[]>;
  send(message: GateMessage): Promise<{ recipients: readonly string[]; threadId: string }>;
  /** A message's whole text and what came with it. */
  message(messageId: string): Promise<SeenMessage>;
  input(name: string, data: string): Promise<{ bytes: number }>;
  setModel(name: string, model: string, timeoutMs: number | undefined): Promise<void>;
  metrics(name?: string): Promise<{ agents: AgentMetrics[]; relay: RelayCounts }>;
  health(): Promise<RelayHealth>;
  preflight(
    cwd: string,
    agents: Readonly<Record<string, AgentOptions>>,
  ): Promise<readonly { agent: string; ok: boolean; detail: string }[]>;
  /** All that happens, as it comes. */
  events(signal: AbortSignal): AsyncIterable<RelayEvent>;
  /** What an agent puts out, as it comes, until its session ends. */
  output(name: string, signal: AbortSignal): AsyncIterable<{ stream: string; text: string }>;
}

export interface GateMessage extends Pick<SendOptions, "threadId" | "priority" | "data"> {
  readonly id: string;
  readonly to: string;
  readonly text: string;
  readonly from: string;
}

interface SeenMessage {
  readonly kind: string;
  readonly text: string;
  readonly data: unknown;
  readonly threadId: string;
  /** Agents that it goes to. */
  readonly deliveries: readonly { readonly deliveryId: string; readonly recipient: string }[];
}
