import * as z from "zod";

/** What an agent that was released left for one that goes on. */
export const Continuity = z.object({
  agentName: z.string().max(256),
  runtime: z.string().max(256),
  task: z.string().max(262_144).nullable(),
  cwd: z.string().max(4_096),
  /** Milliseconds since 1970. */
  releasedAt: z.number(),
  lifetimeMs: z.number(),
  /** The last ones, oldest first. */
  messages: z.array(z.object({ from: z.string().max(256), text: z.string().max(65_536) })).max(50),
  /** The agent's own, else why it was released. */
  summary: z.string().max(65_536),
});
export type Continuity = z.infer<typeof Continuity>;
