import type {
  Coordination,
  Preflight,
  Verification,
  WorkflowPreset,
  WorkflowStepType,
  WorkflowTopology,
} from "@agentos/protocol";

import type { PatternName } from "../patterns/shape-of.ts";
import type { AgentCommand } from "./agent-command.ts";

/** An agent with every default filled in. */
export interface PlannedAgent {
  readonly name: string;
  readonly cli: string | null;
  readonly runtime: string;
  /** Undefined: the runtime knows its program. */
  readonly command: AgentCommand | undefined;
  /** Where its command has none. */
  readonly model: string | undefined;
  readonly role: string | undefined;
  readonly preset: WorkflowPreset | undefined;
  readonly interactive: boolean;
  /** Absolute. */
  readonly cwd: string;
  readonly additionalPaths: readonly string[];
  readonly channels: readonly string[];
  readonly maxTokens: number | undefined;
  /** 0: never idle. */
  readonly idleMs: number;
}

interface Planned {
  readonly name: string;
  /** As its author wrote it: a custom step stays one. */
  readonly type: WorkflowStepType;
  readonly dependsOn: readonly string[];
  /** It runs only where that step failed. */
  readonly fallbackFor: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly retries: number;
  /** May hold placeholders. */
  readonly cwd: string;
  readonly verification: Verification | undefined;
}

export interface PlannedAgentStep extends Planned {
  readonly kind: "agent";
  readonly agent: PlannedAgent;
  readonly task: string;
  readonly maxIterations: number;
  readonly reviewers: readonly PlannedAgent[];
}

export interface PlannedCommandStep extends Planned {
  readonly kind: "command";
  readonly command: string;
  readonly failOnError: boolean;
  readonly captureOutput: boolean;
}

export interface PlannedWorktreeStep extends Planned {
  readonly kind: "worktree";
  readonly branch: string;
  readonly baseBranch: string;
  readonly path: string;
  readonly createBranch: boolean;
}

/** A function of the client. */
export interface PlannedFunctionStep extends Planned {
  readonly kind: "function";
  readonly use: string;
  readonly params: Readonly<Record<string, string>>;
}

export type PlannedStep =
  | PlannedAgentStep
  | PlannedCommandStep
  | PlannedWorktreeStep
  | PlannedFunctionStep;

export interface PlannedBarrier {
  readonly name: string;
  readonly waitFor: readonly string[];
  readonly timeoutMs: number | undefined;
}

interface IdleNudge {
  readonly nudgeAfterMs: number;
  readonly escalateAfterMs: number;
  readonly maxNudges: number;
}

export interface Consensus {
  readonly strategy: NonNullable<Coordination["consensusStrategy"]>;
  /** Undefined: more than a half. */
  readonly threshold: number | undefined;
  /** By the reviewers' names; 1 of those that have none. */
  readonly weights: ReadonlyMap<string, number>;
  /** Who has not voted by then abstains. */
  readonly expiryMs: number;
}

/** What a run carries out: checked, and nothing left to default. */
export interface WorkflowPlan {
  readonly name: string;
  readonly workflow: string;
  readonly description: string | null;
  readonly namespace: string | null;
  readonly pattern: PatternName;
  readonly topology: WorkflowTopology;
  readonly agents: readonly PlannedAgent[];
  readonly steps: readonly PlannedStep[];
  readonly barriers: readonly PlannedBarrier[];
  readonly preflight: readonly Preflight[];
  readonly vars: ReadonlyMap<string, string>;
  readonly cwd: string;
  readonly maxConcurrency: number;
  readonly retryDelayMs: number;
  /** Whether one failure ends the run. */
  readonly failFast: boolean;
  readonly consensus: Consensus;
  readonly idleNudge: IdleNudge | undefined;
  readonly idleIsDone: boolean;
  readonly notifyChannel: string | undefined;
  readonly ttlMs: number | undefined;
}
