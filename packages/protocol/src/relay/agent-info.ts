import * as z from "zod";

import { Id, VmId } from "../ids.ts";

export const AgentState = z.enum([
  "starting",
  "ready",
  /** Its program died; it is started again after a while. */
  "restarting",
  "released",
  /** It is gone by itself, for good. */
  "dead",
]);
export type AgentState = z.infer<typeof AgentState>;

/** `blocked`: it waits for a person. */
export const AgentActivity = z.enum(["working", "idle", "blocked"]);
export type AgentActivity = z.infer<typeof AgentActivity>;

/** An agent now. */
export const AgentInfo = z.object({
  name: z.string(),
  agentId: Id,
  /** Its session: output, transcript and requests are read there. */
  sessionId: Id,
  vmId: VmId,
  runtime: z.string(),
  model: z.string().nullable(),
  team: z.string().nullable(),
  channels: z.array(z.string()),
  parent: z.string().nullable(),
  shadowOf: z.string().nullable(),
  state: AgentState,
  activity: AgentActivity,
  /** It was told as idle, and nothing was seen of it since. */
  idle: z.boolean(),
  /** Messages stay in its mailbox until they are flushed. */
  held: z.boolean(),
  /** Messages that wait for it. */
  pending: z.int(),
  restarts: z.int(),
  createdAt: z.number(),
});
export type AgentInfo = z.infer<typeof AgentInfo>;

/** What an agent uses now: its session's processes, not a wrapper's. `null` where it can't be known. */
export const AgentMetrics = z.object({
  name: z.string(),
  pids: z.array(z.int()),
  memoryBytes: z.number().nullable(),
  cpuMs: z.number().nullable(),
  uptimeMs: z.number(),
});
export type AgentMetrics = z.infer<typeof AgentMetrics>;

/** Counts of the relay's whole life. */
export const RelayCounts = z.object({
  uptimeMs: z.number(),
  spawned: z.int(),
  crashes: z.int(),
  restarts: z.int(),
  active: z.int(),
});
export type RelayCounts = z.infer<typeof RelayCounts>;

export const CrashCategory = z.enum(["oom", "segfault", "signal", "error", "unknown"]);
export type CrashCategory = z.infer<typeof CrashCategory>;

export const CrashRecord = z.object({
  agent: z.string(),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  at: z.number(),
  uptimeMs: z.number(),
  category: CrashCategory,
  description: z.string(),
});
export type CrashRecord = z.infer<typeof CrashRecord>;

export const RelayHealth = z.object({
  crashes: z.int(),
  /** The last 20, oldest first. */
  recent: z.array(CrashRecord),
  /** Most frequent first. */
  patterns: z.array(
    z.object({ category: CrashCategory, count: z.int(), agents: z.array(z.string()) }),
  ),
  /** 100, less 10 for each crash of the last hour. */
  score: z.int().min(0).max(100),
});
export type RelayHealth = z.infer<typeof RelayHealth>;
