import * as z from "zod";

import { Id } from "./ids.ts";

const Range = z.object({ min: z.int().min(0), max: z.int().min(0) });

export const ClientName = z.object({
  name: z.string().min(1).max(128),
  version: z.string().min(1).max(64),
});

/** Where the sidecar listens. A port of 0 lets the system choose. */
export const ListenAddress = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("unix"), path: z.string().min(1) }),
  z.object({ kind: z.literal("tcp"), host: z.string().min(1), port: z.int().min(0).max(65_535) }),
]);
export type ListenAddress = z.infer<typeof ListenAddress>;

/** The one message that a client writes on a new sidecar's stdin. */
export const StartRequest = z.object({
  protocol: Range,
  client: ClientName,
  sidecarId: z.string().min(1).max(256),
  /** Absolute; made with mode 0700 where it is missing. */
  stateDirectory: z.string().startsWith("/"),
  /** Sockets and other things of this life; short, for a unix socket's path has 107 bytes. */
  runtimeDirectory: z.string().startsWith("/"),
  /** The store of agents' programs, which every VM sees read-only. Absent: none. */
  agentsDirectory: z.string().startsWith("/").optional(),
  /** What models cost, where that is not the list price: a file of JSON. */
  pricesFile: z.string().startsWith("/").optional(),
  /** A shared sidecar's pool. Absent: explicit, ends when stdin closes. */
  pool: z.string().max(256).optional(),
  listen: ListenAddress.optional(),
  idleMs: z.int().min(0).optional(),
  /** Other defaults that an operator set. */
  leaseGraceMs: z.int().min(0).optional(),
  maxVms: z.int().min(1).optional(),
  waitingCreates: z.int().min(0).optional(),
  waitingCreateMs: z.int().min(1).optional(),
  warmPoolSize: z.int().min(0).max(64).optional(),
  maxSessions: z.int().min(1).optional(),
  transcriptBytes: z.int().min(1).optional(),
});
export type StartRequest = z.infer<typeof StartRequest>;

/** The sidecar's one answer on stdout. */
export const StartReply = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("ready"),
    sidecarId: z.string(),
    epoch: z.int().min(1),
    protocol: Range,
    listen: ListenAddress,
    apiKey: z.string().min(32),
    pid: z.int(),
  }),
  /** Another sidecar of the pool is alive: use that. */
  z.object({ kind: z.literal("elsewhere") }),
  z.object({ kind: z.literal("failed"), code: z.string(), message: z.string() }),
]);
export type StartReply = z.infer<typeof StartReply>;

/** What `sidecar.json` says of a pool's sidecar (mode 0600). */
export const DiscoveryFile = z.object({
  sidecarId: z.string(),
  epoch: z.int().min(1),
  pid: z.int(),
  listen: ListenAddress,
  apiKey: z.string().min(32),
  protocol: Range,
});
export type DiscoveryFile = z.infer<typeof DiscoveryFile>;

export const AuthenticateParams = z.object({ protocol: Range, client: ClientName });
export const AuthenticateResult = z.object({
  connectionId: Id,
  sidecarId: z.string(),
  epoch: z.int().min(1),
  protocol: z.int(),
  maxFrameBytes: z.int().min(1024),
  heartbeatMs: z.int().min(1),
  capabilities: z.array(z.string()),
});
export type AuthenticateResult = z.infer<typeof AuthenticateResult>;
