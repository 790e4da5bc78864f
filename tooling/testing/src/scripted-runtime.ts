import type {
  AgentRuntime,
  RuntimeCapabilities,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
  RuntimeTurn,
  RuntimeTurnResult,
} from "@agentos/core";
import { AgentOsError, type Json, type SessionSpec, type ToolResult } from "@agentos/protocol";

/** One turn, as a test's script plays the agent in it. */
export interface ScriptedTurn extends RuntimeTurn {
  readonly host: RuntimeHost;
  readonly request: RuntimeRequest;
  /** The content, where it is plain text. */
  readonly prompt: string;
  readonly say: (text: string) => void;
  /** Calls a tool, and ends with the turn where it is cancelled. */
  readonly call: (name: string, input?: Json, callId?: string) => Promise<ToolResult>;
  /** Resolves with the promise; rejects with `CANCELLED` once the turn is to end. */
  readonly until: <T>(promise: Promise<T>) => Promise<T>;
  /** Rejects once the turn is to end. */
  readonly forever: () => Promise<never>;
  /** The agent is gone all of a sudden. */
  readonly exit: (exitCode: number) => void;
  /** Tells a model call. */
  readonly used: (tokens: number, more?: { hasToolCalls?: boolean; costUsd?: number }) => void;
}

/** A string is the reply of a turn that ends as it should. */
export type Script = (
  turn: ScriptedTurn,
) => Promise<string | Partial<RuntimeTurnResult> | undefined>;

export interface ScriptedRuntimeOptions {
  /** Default "scripted". */
  readonly name?: string;
  readonly capabilities?: Partial<RuntimeCapabilities>;
  /** Default: echoes the prompt. */
  readonly script?: Script;
  readonly check?: (spec: SessionSpec) => Promise<void>;
  /** Default: none. */
  readonly defaultModel?: () => string;
  /** Awaited inside `open`, to delay it or make it fail. */
  readonly onOpen?: (
    request: RuntimeRequest,
    signal: AbortSignal,
    host: RuntimeHost,
  ) => Promise<void>;
  /** What its agents can do beside prompts. Default: nothing. */
  readonly controls?: Pick<RuntimeSession, "steer" | "setModel" | "setMode" | "modes" | "compact">;
  /** Awaited inside the agent's end. */
  readonly onDispose?: () => Promise<void>;
}

const CAPABILITIES: RuntimeCapabilities = {
  transport: "in_process",
  permissions: "ask",
  hostTools: ["direct"],
  builtinTools: true,
  resume: true,
  fork: true,
  deltas: true,
  usage: true,
  outputSchema: true,
  subagents: true,
  adoption: false,
  modes: true,
  compaction: true,
};

/** A runtime whose agents do what a test says. */
export class ScriptedRuntime implements AgentRuntime {
  readonly name: string;
  readonly capabilities: RuntimeCapabilities;
  /** Every request to open an agent, in order. */
  readonly opened: RuntimeRequest[] = [];
  /** Every prompt that an agent was given, in order. */
  readonly prompts: RuntimeTurn[] = [];
  /** The session of each of them. */
  readonly promptedSessions: string[] = [];
  readonly agents = new Set<ScriptedAgent>();
  /** What the next turns play; a test may change it. */
  script: Script;
  readonly #options: ScriptedRuntimeOptions;

  constructor(options: ScriptedRuntimeOptions = {}) {
    this.#options = options;
    this.name = options.name ?? "scripted";
    this.capabilities = { ...CAPABILITIES, ...options.capabilities };
    this.script = options.script ?? (async ({ prompt }) => prompt);
  }

  defaultModel(): string | undefined {
    return this.#options.defaultModel?.();
  }

  async check(spec: SessionSpec): Promise<void> {
    await this.#options.check?.(spec);
  }

  async open(
    request: RuntimeRequest,
    host: RuntimeHost,
    { signal }: { signal: AbortSignal },
  ): Promise<ScriptedAgent> {
    this.opened.push(request);
    await this.#options.onOpen?.(request, signal, host);
    const agent: ScriptedAgent = new ScriptedAgent({
      play: (turn) => {
        this.prompts.push(turn);
        this.promptedSessions.push(request.sessionId);
        return this.script(turnOf(turn, request, host, (code) => agent.exit(code)));
      },
      controls: this.#options.controls ?? {},
      end: async () => {
        await this.#options.onDispose?.();
        this.agents.delete(agent);
      },
    });
    this.agents.add(agent);
    return agent;
  }

  /** The one agent that lives. */
  get agent(): ScriptedAgent {
    const [agent] = this.agents;
    if (agent === undefined) throw new Error("no scripted agent lives");
    return agent;
  }
}

interface AgentOptions {
  readonly play: (turn: RuntimeTurn) => ReturnType<Script>;
  readonly controls: NonNullable<ScriptedRuntimeOptions["controls"]>;
  readonly end: () => Promise<void>;
}

/** One open scripted agent. */
export class ScriptedAgent implements RuntimeSession {
  readonly exited: Promise<AgentOsError>;
  declare steer?: NonNullable<RuntimeSession["steer"]>;
  declare setModel?: NonNullable<RuntimeSession["setModel"]>;
  declare setMode?: NonNullable<RuntimeSession["setMode"]>;
  declare modes?: RuntimeSession["modes"];
  declare compact?: NonNullable<RuntimeSession["compact"]>;
  readonly #options: AgentOptions;
  readonly #exited = Promise.withResolvers<AgentOsError>();

  constructor(options: AgentOptions) {
    this.#options = options;
    this.exited = this.#exited.promise;
    Object.assign(this, options.controls);
  }

  async prompt(turn: RuntimeTurn): Promise<RuntimeTurnResult> {
    const played = await this.#options.play(turn);
    const result = typeof played === "string" ? { text: played } : played;
    return { stopReason: "end_turn", text: "", ...result };
  }

  /** It is gone all of a sudden. */
  exit(exitCode: number | null = 1, more: { signal?: string; limit?: string } = {}): void {
    const details = { exitCode, signal: null, stderr: ["the last line"], ...more };
    const message = `the agent ended with ${more.signal ?? `exit code ${exitCode}`}`;
    this.#exited.resolve(new AgentOsError("AGENT_EXITED", message, details));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.end();
  }
}

function turnOf(
  turn: RuntimeTurn,
  request: RuntimeRequest,
  host: RuntimeHost,
  exit: (exitCode: number) => void,
): ScriptedTurn {
  const { signal, content } = turn;
  let calls = 0;
  const until = <T>(promise: Promise<T>): Promise<T> => Promise.race([promise, aborted(signal)]);
  return {
    ...turn,
    host,
    request,
    prompt: typeof content === "string" ? content : JSON.stringify(content),
    until,
    exit,
    forever: () => aborted(signal),
    say: (delta) => host.emit({ type: "text", delta }),
    call: (name, input = {}, callId = `${turn.turnId}-${(calls += 1)}`) =>
      host.callTool({ callId, name, input }, signal),
    used: (totalTokens, { hasToolCalls = false, costUsd } = {}) => {
      const unknown = { cacheReadTokens: null, cacheWriteTokens: null, thinkingTokens: null };
      const tokens = { inputTokens: null, outputTokens: null, totalTokens };
      const usage = { ...unknown, ...tokens, costUsd: costUsd ?? null };
      host.modelCalled({ usage, hasToolCalls });
    },
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  // Whoever does not wait for it has no use for it.
  promise.catch(() => undefined);
  const abort = (): void =>
    reject(new AgentOsError("CANCELLED", "the turn was cancelled", { operation: "turn" }));
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return promise;
}
