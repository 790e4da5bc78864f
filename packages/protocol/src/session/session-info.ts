import * as z from "zod";

import { Id, VmId } from "../ids.ts";
import { PendingRequest } from "./request.ts";
import { SessionState } from "./session-event.ts";
import { ToolInfo } from "./tool.ts";
import { SessionUsage } from "./usage.ts";

/** A mode of an agent's own. */
export const AgentMode = z.object({ id: z.string(), name: z.string() });
export type AgentMode = z.infer<typeof AgentMode>;

/** What a provider said of one of its limits on the key. Times are ISO 8601. */
export const RateLimitWindow = z.object({
  /** The provider's own word: `requests`, `tokens`, `unified-5h`. */
  name: z.string(),
  limit: z.number().nullable(),
  remaining: z.number().nullable(),
  resetAt: z.string().nullable(),
});
export type RateLimitWindow = z.infer<typeof RateLimitWindow>;

export const SessionSummary = z.object({
  sessionId: Id,
  vmId: VmId,
  runtime: z.string(),
  /** Where its model is; `null` where its runtime has its own way. */
  provider: z.string().nullable(),
  model: z.string().nullable(),
  state: SessionState,
  /** The session that this one is a subagent or a fork of. */
  parent: Id.optional(),
  createdAt: z.string(),
  turns: z.int(),
  costUsd: z.number().nullable(),
});
export type SessionSummary = z.infer<typeof SessionSummary>;

/** A session now: what the single queries of other systems answer, in one. */
export const SessionInfo = SessionSummary.extend({
  /** The agent's own id, told only once it can be resumed. */
  agentSessionId: z.string().nullable(),
  /** The running turn. */
  turnId: Id.nullable(),
  queued: z.int(),
  usage: SessionUsage,
  /** Indices into the history where it was compacted. */
  compactions: z.array(z.int()),
  lastResponse: z.string().nullable(),
  pending: z.array(PendingRequest),
  /** What the agent may call; fixed when the session is made. */
  tools: z.array(ToolInfo),
  /** The agent's own modes; empty where it has none, or is not there now. */
  modes: z.array(AgentMode),
  /** The one that it is in; `null` where it has none. */
  mode: z.string().nullable(),
  /** As the provider said them last; empty where nothing of the session has passed the gateway. */
  rateLimits: z.array(RateLimitWindow),
  /** The transcript's last seq; 0: empty. */
  lastSeq: z.int(),
});
export type SessionInfo = z.infer<typeof SessionInfo>;
