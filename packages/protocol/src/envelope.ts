import * as z from "zod";

import { WireError } from "./error-codec.ts";

const RequestId = z.int().min(1);

/** What a text frame says. Either side may request; ids are of the requesting side. */
export const Envelope = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("request"),
    id: RequestId,
    method: z.string(),
    params: z.unknown().optional(),
  }),
  z.object({ type: z.literal("response"), id: RequestId, result: z.unknown() }),
  z.object({ type: z.literal("failure"), id: RequestId, error: WireError }),
  z.object({ type: z.literal("event"), event: z.string(), data: z.unknown() }),
  /** The requester no longer wants the answer; it still gets one. */
  z.object({ type: z.literal("cancel"), id: RequestId }),
]);
export type Envelope = z.infer<typeof Envelope>;
