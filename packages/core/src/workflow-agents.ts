import type { SessionSpec } from "@agentos/protocol";

/** An agent that a step of a workflow needs. */
export interface WorkflowAgentRequest {
  readonly runId: string;
  /** The workflow's name for it. */
  readonly agent: string;
  /** Unique among all that live: the step and its try are in it. */
  readonly id: string;
  readonly runtime: string;
  /** A program for one task, `{prompt}` in its arguments; undefined: the runtime's own. */
  readonly command: { readonly command: string; readonly args: readonly string[] } | undefined;
  readonly model: string | undefined;
  readonly provider: SessionSpec["provider"];
  /** Absolute. */
  readonly cwd: string;
  /** Absolute: where its file tools may act. Undefined: anywhere in the VM. */
  readonly workspaces: readonly string[] | undefined;
  /** Told to it beside its task: its role, and whom it may write to. */
  readonly instructions: string;
  readonly maxTokens: number | undefined;
  readonly channels: readonly string[];
  /** Agents of the workflow that it may write to while both live. */
  readonly mayWriteTo: readonly string[];
}

/** What an agent said to a task. */
export interface WorkflowAnswer {
  readonly output: string;
  /** The output begins with what was typed: the task is in it. */
  readonly echoesTask: boolean;
  /** Of an agent that is one program; `null` where it has none. */
  readonly exitCode: number | null;
}

/** One living agent. Disposing ends it, verified. */
export interface WorkflowAgentHandle extends AsyncDisposable {
  readonly sessionId: string;
  /** Resolves when its turn has ended. Rejects as the turn failed, or with `CANCELLED`. */
  run(
    task: string,
    options: { signal: AbortSignal; onActivity: () => void },
  ): Promise<WorkflowAnswer>;
  /** Says something to it while it works. */
  nudge(text: string): Promise<void>;
}

/** Where a workflow's runner gets agents from. */
export interface WorkflowAgents {
  /** Rejects as opening a session does, and nothing is left. */
  open(
    request: WorkflowAgentRequest,
    options: { signal: AbortSignal },
  ): Promise<WorkflowAgentHandle>;
}
