import type { Question, RequestAnswer, ToolCall, ToolInfo, ToolResult } from "@agentos/protocol";
import type { ToolVerdict } from "@agentos/core";

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
