import type { WorkflowAgents } from "./workflow-agents.ts";

export interface WorkflowCommand {
  /** For `/bin/sh -c`, or a program with its arguments. */
  readonly command: string | readonly string[];
  /** Absolute. */
  readonly cwd: string;
  readonly timeoutMs: number | undefined;
}

export interface WorkflowCommandResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** More came than is kept. */
  readonly truncated: boolean;
}

/** What a workflow runs in the VM itself. */
export interface WorkflowCommands {
  /** To its end. Rejects with `CANCELLED` once it is gone, or why it could not start. */
  run(command: WorkflowCommand, options: { signal: AbortSignal }): Promise<WorkflowCommandResult>;
  /** Whether something is at that absolute path. */
  exists(path: string): Promise<boolean>;
}

/** The VM of a run, held as long as it runs. */
export interface WorkflowPlace {
  readonly agents: WorkflowAgents;
  readonly commands: WorkflowCommands;
  /** Resolves with why the run can't go on in it: the VM has ended, or another holder has it. Never rejects. */
  readonly lost: Promise<Error>;
  /** Lets go; harmless to repeat. */
  release(): void;
}

/** Where runs get VMs from. */
export interface WorkflowPlaces {
  /** Throws `NOT_FOUND`, `FENCED` or `VM_ENDED`. */
  hold(user: string, vmId: string, fence: number): WorkflowPlace;
}

/** Says something in a channel of the relay, as the workflow. */
export interface WorkflowNotices {
  tell(user: string, vmId: string, channel: string, text: string): Promise<void>;
}
