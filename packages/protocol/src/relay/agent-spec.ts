import * as z from "zod";

import { SessionSpec } from "../session/session-spec.ts";
import { Continuity } from "./continuity.ts";
import { AgentName, ChannelName, TeamName } from "./agent-name.ts";

const milliseconds = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** Whether an agent that died by itself is started again. Absent: it is not. */
export const RestartPolicy = z.strictObject({
  /** Default true. */
  enabled: z.boolean().optional(),
  /** Restarts in an agent's life. Default 5. */
  maxRestarts: z.int().min(0).max(10_000).optional(),
  /** Before the first restart; doubled with each further failure in a row, up to 60 s. Default 2 s. */
  cooldownMs: milliseconds.optional(),
  /** Failures in a row; a healthy minute ends the row. Default 3. */
  maxConsecutiveFailures: z.int().min(0).max(10_000).optional(),
});
export type RestartPolicy = z.infer<typeof RestartPolicy>;

/** Reminds an idle agent of its work. */
export const NudgePolicy = z.strictObject({
  /** After becoming idle. Default 120 s. */
  afterMs: milliseconds.optional(),
  /** Between nudges, and from the last to the release. Default 120 s. */
  escalateAfterMs: milliseconds.optional(),
  /** Default 1. */
  maxNudges: z.int().min(0).max(1_000).optional(),
  /** What is said. */
  text: z.string().min(1).max(16_384).optional(),
  /** What follows the last one. Default `none`. */
  atEnd: z.enum(["release", "none"]).optional(),
});
export type NudgePolicy = z.infer<typeof NudgePolicy>;

/** When a message reaches an agent that works: at the turn's end, or in the running turn where its runtime can. */
export const DeliveryMode = z.enum(["wait", "steer"]);
export type DeliveryMode = z.infer<typeof DeliveryMode>;

/** What a shadow is told of its primary's messages. */
export const ShadowMode = z.enum([
  "all_messages",
  "explicit_ask",
  "session_end",
  "code_written",
  "review_request",
  /** code_written, review_request and explicit_ask. */
  "reviewer",
  /** session_end and explicit_ask. */
  "auditor",
  /** all_messages. */
  "active",
]);
export type ShadowMode = z.infer<typeof ShadowMode>;

/** An agent: a session with a name, and how it is kept. Unknown fields are refused: many of them bound what it may do. */
export const AgentSpec = z.strictObject({
  name: AgentName,
  /** The session; the relay picks its id. */
  session: SessionSpec.omit({ sessionId: true, resume: true }),
  /**
   * The workflow run that it works for, and its name there. It writes to others of its run by theirs, as its `sendTo`
   * allows, and to nobody else; it ends with its run.
   */
  workflow: z
    .strictObject({ run: z.string().min(1).max(128), agent: z.string().min(1).max(64) })
    .optional(),
  /** Said once, as soon as it is ready. */
  task: z.string().max(262_144).optional(),
  team: TeamName.optional(),
  channels: z.array(ChannelName).max(64).optional(),
  /** The agent that it belongs to. */
  parent: AgentName.optional(),
  /** Whom it may write to: addresses. Absent: its VM, its channels and team, its parent and children, and who wrote to it. */
  sendTo: z.array(z.string().min(1).max(256)).max(256).optional(),
  /** Of messages that don't say. Default: urgent ones steer, others wait. */
  delivery: DeliveryMode.optional(),
  /** Without output and work for this long it is idle. Default 30 s; 0: never. */
  idleMs: milliseconds.optional(),
  nudge: NudgePolicy.optional(),
  restart: RestartPolicy.optional(),
  /** An agent that was released, or what one left: it is told to this one with its task. */
  continueFrom: z.union([AgentName, Continuity]).optional(),
  /** The agent whose messages it gets copies of. */
  shadowOf: AgentName.optional(),
  /** Default `explicit_ask`. */
  shadowMode: ShadowMode.optional(),
});
export type AgentSpec = z.infer<typeof AgentSpec>;
