import * as z from "zod";

import { AuthenticateParams, AuthenticateResult } from "./handshake.ts";
import { Id } from "./ids.ts";
import { Nothing } from "./nothing.ts";
import { SidecarInfo } from "./sidecar.ts";

/** The methods about a connection, the sidecar and its keys; a part of METHODS. */
export const SIDECAR_METHODS = {
  authenticate: {
    scope: "connection",
    summary:
      "First request of a connection: agree on a version, get the connection's id and bounds.",
    params: AuthenticateParams,
    result: AuthenticateResult,
  },
  ping: {
    scope: "connection",
    summary: "A round trip.",
    params: Nothing,
    result: Nothing,
  },
  "sidecar.info": {
    scope: "user",
    summary: "What the sidecar is, hosts and can do.",
    params: Nothing,
    result: SidecarInfo,
  },
  "sidecar.keep": {
    scope: "user",
    summary: "Keep the sidecar running without leases, or let it end itself again.",
    params: z.object({ keep: z.boolean() }),
    result: Nothing,
  },
  "sidecar.shutdown": {
    scope: "user",
    summary: "End every VM, then the sidecar.",
    params: Nothing,
    result: Nothing,
  },
  "key.create": {
    scope: "user",
    summary: "A further API key. Only the sidecar's own key may name another user.",
    params: z.object({
      /** Default: the caller's own user. */
      user: z
        .string()
        .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/)
        .optional(),
      /** The key stops working after this. Absent: it lives as long as the sidecar. */
      ttlMs: z.int().min(1).optional(),
    }),
    result: z.object({ keyId: Id, apiKey: z.string(), user: z.string() }),
  },
  "key.revoke": {
    scope: "user",
    summary: "End a key of the caller's user, and every connection that it opened.",
    params: z.object({ keyId: Id }),
    result: Nothing,
  },
} as const;
