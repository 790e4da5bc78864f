import type { ClientCallbacks, Clock, SessionTool, SessionVm, ToolVerdict } from "@agentos/core";
import type {
  Question,
  RequestAnswer,
  SessionSpec,
  ToolCall,
  ToolInfo,
  ToolResult,
} from "@agentos/protocol";

import type { HookRunner } from "./hook-runner.ts";
import type { RequestBook } from "./request-book.ts";
import type { Subagents } from "./subagents.ts";

/** The turn that a tool is called in, as far as the desk needs it. */
export interface ToolTurn {
  readonly turnId: string;
  /** The lease's life that the turn was prompted with: an approval is bound to it. */
  readonly fence: number;
  readonly signal: AbortSignal;
  /** Output of a running tool, for whoever watches. */
  readonly output: (callId: string, delta: string) => void;
}

/** One session's tools, with everything that stands before and after a call. Disposing ends what runs in the background. */
export interface ToolDesk extends AsyncDisposable {
  /** What the agent may see; fixed once it is open. */
  readonly tools: readonly ToolInfo[];
  /** Hooks, policy, permission, then the tool, then hooks again. A failure is a result; rejects only with `CANCELLED`. */
  call(call: ToolCall, turn: ToolTurn): Promise<ToolResult>;
  /** What stands before a call, for an agent that runs its tools itself. */
  authorize(call: ToolCall, turn: ToolTurn): Promise<ToolVerdict>;
  /** What stands after it. */
  ended(call: ToolCall, result: ToolResult, turn: ToolTurn): Promise<ToolResult>;
  /** Hooks first, then the user. `undefined`: nobody answers. */
  ask(questions: readonly Question[], turn: ToolTurn): Promise<RequestAnswer | undefined>;
}

/** What a session's desk is opened with. */
export interface ToolDeskRequest {
  readonly sessionId: string;
  /** Checked: the runtime can do what it asks for. */
  readonly spec: SessionSpec;
  readonly cwd: string;
  readonly vm: SessionVm;
  readonly hooks: HookRunner;
  readonly requests: RequestBook;
  readonly callbacks: ClientCallbacks;
  /** Undefined: this agent may start none. */
  readonly subagents: Subagents | undefined;
  readonly clock: Clock;
  /** The agent takes AgentOS's own tools; else it brings its own. */
  readonly builtinTools: boolean;
  /** Tools of the sidecar, whatever the agent's runtime. */
  readonly given: readonly SessionTool[];
  /** Tells something that the session survives: a server that did not start. */
  readonly notice: (message: string) => void;
}

/** Rejects with `INVALID_ARGUMENT` for tools that can't be, and nothing is left open. */
export type OpenToolDesk = (
  request: ToolDeskRequest,
  options: { signal: AbortSignal },
) => Promise<ToolDesk>;
