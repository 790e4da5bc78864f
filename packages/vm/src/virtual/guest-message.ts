import { LimitName, ReachedLimit, WireError } from "@agentos/protocol";
import * as z from "zod";

const Bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

/** How a process of a virtual VM ended. */
export const GuestExit = z.object({
  exitCode: z.int().nullable(),
  /** The number of the signal that ended it. */
  signal: z.int().nullable(),
  /** The limit on scripts that ended it, or a part of it whose end it passes on. */
  limit: ReachedLimit.optional(),
  stdoutBytes: z.int(),
  stderrBytes: z.int(),
  durationMs: z.number(),
});
export type GuestExit = z.infer<typeof GuestExit>;

/** What a worker sends. It has run what agents wrote: nothing of it is taken as it is. */
export const GuestMessage = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ready") }),
  z.object({ kind: z.literal("reply"), id: z.int(), value: z.unknown() }),
  z.object({ kind: z.literal("refusal"), id: z.int(), error: WireError }),
  z.object({ kind: z.literal("frame"), stream: z.int(), frame: Bytes }),
  z.object({ kind: z.literal("exit"), stream: z.int(), exit: GuestExit }),
  z.object({ kind: z.literal("limit"), vm: z.int(), limit: LimitName, value: z.number() }),
]);
export type GuestMessage = z.infer<typeof GuestMessage>;
