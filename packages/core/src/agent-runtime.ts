import type {
  AgentMode,
  AgentOsError,
  ChatMessage,
  Content,
  Json,
  Question,
  RequestAnswer,
  SessionHappening,
  SessionSpec,
  StopReason,
  ToolCall,
  ToolInfo,
  ToolResult,
  Usage,
} from "@agentos/protocol";

import type { AgentTrace } from "./agent-trace.ts";
import type { AgentEndpoint } from "./model-gateway.ts";
import type { SessionVm } from "./session-vm.ts";
import type { ToolDoor } from "./tool-door.ts";

/** What a kind of agent can do. What it can't is refused when the session is opened, never ignored. */
export interface RuntimeCapabilities {
  readonly transport: "in_process" | "native" | "acp" | "terminal" | "command";
  /** `ask`: it asks before each tool, so that policies hold. `none`: only a VM's walls hold it. */
  readonly permissions: "ask" | "none";
  readonly hostTools: readonly ("direct" | "mcp" | "command")[];
  /** It takes our built-in tools; otherwise it brings its own. */
  readonly builtinTools: boolean;
  readonly resume: boolean;
  readonly fork: boolean;
  readonly deltas: boolean;
  readonly usage: boolean;
  readonly outputSchema: boolean;
  readonly subagents: boolean;
  readonly compaction: boolean;
  /** It may have modes of its own. */
  readonly modes: boolean;
  /** Its running turn goes on after the sidecar was killed. Otherwise that is `interrupted`. */
  readonly adoption: boolean;
}

/** What a runtime opens a session from. */
export interface RuntimeRequest {
  readonly sessionId: string;
  readonly spec: SessionSpec;
  readonly cwd: string;
  /** Every tool that the agent may see, built-in, host and MCP ones; run by `RuntimeHost.callTool`. */
  readonly tools: readonly ToolInfo[];
  /** The system prompt's sections that come from the engine: skills, workspaces. */
  readonly announcements: readonly string[];
  readonly initialHistory: readonly ChatMessage[];
  /** The agent's own session to go on with. */
  readonly agentSessionId: string | undefined;
}

/** A kind of entry of a runtime's own durable state: the messages of an API agent, a cursor of a CLI's log. */
export interface RuntimeState {
  load(): readonly Json[];
  /** Durable when it returns. */
  append(entries: readonly Json[]): void;
  /** After a compaction. */
  replace(entries: readonly Json[]): void;
}

/** What a runtime tells of its turn: everything but what the engine itself makes of it. */
export type RuntimeEvent = Extract<
  SessionHappening,
  {
    type:
      | "text"
      | "thought"
      | "tool_output"
      | "compaction"
      | "rate_limit"
      | "plan"
      | "file_change"
      | "notice"
      | "raw";
  }
>;

/** A verdict on a tool that the agent itself is to run. */
export interface ToolVerdict {
  readonly allow: boolean;
  /** Told to the agent. */
  readonly message?: string;
  /** What hooks made of the input. */
  readonly input: Json;
}

/** The engine, as a runtime sees it. */
export interface RuntimeHost {
  /**
   * Durable and told to every reader when it returns; text, thoughts and tool output of one tick are
   * gathered until its end or the next other event. A subagent's events name it. After the turn: dropped.
   */
  emit(event: RuntimeEvent, agent?: string): void;
  /** Hooks, policy, permission, the tool itself, audit. A failure is a result; rejects only with `CANCELLED`. */
  callTool(call: ToolCall, signal: AbortSignal): Promise<ToolResult>;
  /** The same for a tool that the agent runs by itself: first the verdict, */
  authorizeTool(call: ToolCall, signal: AbortSignal): Promise<ToolVerdict>;
  /** then what came of it. */
  toolEnded(result: ToolResult): void;
  /** Asks the user. `undefined`: nobody answers. */
  ask(questions: readonly Question[], signal: AbortSignal): Promise<RequestAnswer | undefined>;
  /** One model call is over. Throws `BUDGET_EXHAUSTED` where the next would be too much. */
  modelCalled(used: {
    usage: Usage;
    /** As the provider names it. */
    model?: string | undefined;
    hasToolCalls: boolean;
    /** Another call follows, though no tool was asked for. */
    goesOn?: boolean;
    agent?: string;
  }): void;
  /** The agent's own session id, at the first sign of it: written before anything else goes on. */
  recordSession(agentSessionId: string): void;
  /** What the work writes is written as a whole or not at all. */
  together(work: () => void): void;
  /** Written with the next that is written, or at the tick's end; `kept` is called then. */
  keepTrace(trace: AgentTrace, kept: () => void): void;
  /** Calls of the running turn that an earlier life has told of and whose result it has not. */
  readonly openCalls: readonly ToolCall[];
  readonly state: RuntimeState;
  readonly vm: SessionVm;
  /** The session's way to its model, opened by the first call; it ends with the session. What passes is counted: not by `modelCalled` again. */
  endpoint(options: { signal: AbortSignal }): Promise<AgentEndpoint>;
  /** How a program in the VM reaches the session's host and MCP tools. Opened by the first call; it ends with the session. */
  toolDoor(options: { signal: AbortSignal }): Promise<ToolDoor>;
}

/** Modes of an agent's own. */
export interface AgentModes {
  readonly current: string;
  readonly available: readonly AgentMode[];
}

export interface RuntimeTurn {
  readonly turnId: string;
  readonly content: Content;
  /** `hook`: a stop hook has the turn go on with this as the system's word. */
  readonly from: "user" | "hook";
  /** Above 0: this content was given before and a provider failed; the turn goes on from what the agent has of it. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** How a turn went, as its runtime saw it. The engine's own reasons (cancelled, budget) come before it. */
export interface RuntimeTurnResult {
  readonly stopReason: StopReason;
  readonly text: string;
  readonly output?: Json;
  readonly error?: AgentOsError;
  /** No tries of ours were used: the agent ended before it had a session. */
  readonly aborted?: boolean;
}

/** One open conversation with an agent. Disposing ends every process of it, verified. */
export interface RuntimeSession extends AsyncDisposable {
  /** Runs one turn to its end; never two at once. Rejects for what the caller could not foresee, with an `AgentOsError`. */
  prompt(turn: RuntimeTurn): Promise<RuntimeTurnResult>;
  /** Goes on to the end of the turn that an earlier life began: first and once, after `AgentRuntime.adopt`. */
  goOn?(turn: Pick<RuntimeTurn, "turnId" | "signal">): Promise<RuntimeTurnResult>;
  /** Resolves when the agent is gone by itself. */
  readonly exited: Promise<AgentOsError>;
  /** Gives the running turn more to think about. Undefined where the agent can't. */
  steer?(content: Content): Promise<void>;
  /** Resolves once the agent has confirmed it. Rejects with `MODEL_SWITCH_FAILED`. */
  setModel?(model: string): Promise<void>;
  /** The agent's own, and the one that it is in. Undefined where it has none. */
  readonly modes?: AgentModes | undefined;
  /** Resolves once the agent has confirmed it. Rejects with `INVALID_ARGUMENT` for one that it has not. */
  setMode?(mode: string): Promise<void>;
  /** Between turns. */
  compact?(): Promise<void>;
  /** Types into the agent's terminal; resolves with the bytes that it took. Undefined where it has none. */
  input?(data: string): Promise<number>;
  /** The agent's own processes in the VM, by pid; their descendants count with them. Undefined where it has none. */
  pids?(): readonly number[];
}

/** Drives one kind of agent. */
export interface AgentRuntime {
  readonly name: string;
  readonly capabilities: RuntimeCapabilities;
  /** The model of a session that names none. Undefined: the agent has its own way to choose one. */
  defaultModel?(spec: SessionSpec): string | undefined;
  /** Throws for a specification that it can't carry out, before anything is started: `MISSING_KEY`, `INVALID_ARGUMENT`, `PACKAGE_MISSING`. */
  check(spec: SessionSpec): Promise<void>;
  /** Rejects with `RESUME_LOST` where `agentSessionId` is unknown to the agent. */
  open(
    request: RuntimeRequest,
    host: RuntimeHost,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession>;
  /** Takes over an agent in the middle of a turn. Rejects where that can't be; the turn is interrupted then. Undefined: it never can. */
  adopt?(
    request: RuntimeRequest,
    host: RuntimeHost,
    trace: AgentTrace,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession>;
}
