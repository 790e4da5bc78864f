import {
  Environment,
  Id,
  Limits,
  Mount,
  NetworkPolicy,
  Security,
  parseArgument,
  Signal,
  SignalScope,
  VmName,
  VmPath,
} from "@agentos/protocol";
import * as z from "zod";

import type { AgentOsSidecar } from "./sidecar/agent-os-sidecar.ts";
import type { SidecarConfiguration } from "./sidecar/sidecar-configuration.ts";

/** Where a sidecar is found: a pool's name, or a handle. Default: the pool "default". */
export interface SidecarChoice {
  pool?: string | undefined;
  sidecar?: AgentOsSidecar | undefined;
  signal?: AbortSignal | undefined;
}

export interface CreateOptions extends SidecarChoice {
  /** Makes the VM findable by `AgentOs.attach`, and its disk outlive its leases. */
  name?: string | undefined;
  /** `linux`, `virtual`, or `auto` (default): the strongest that works here, never `virtual`. */
  driver?: string | undefined;
  /** Root filesystem. Default `host`. */
  image?: string | undefined;
  mounts?: Mount[] | undefined;
  /** Added to the environment of every process. */
  env?: Record<string, string> | undefined;
  limits?: Limits | undefined;
  /** Default: no network but loopback. */
  network?: NetworkPolicy | undefined;
  /** Default: `standard`. With the profile `debug` programs may trace one another: `strace`, `gdb`. */
  security?: Security | undefined;
  /** A snapshot, by name or id: the VM begins with its files, on its driver and image. */
  from?: string | { readonly snapshotId: string } | undefined;
}

export interface SnapshotOptions {
  /** Without one it is found by its id. */
  name?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** What a fork gets of its own: nothing of this kind is inherited. */
export interface ForkOptions {
  /** One for each fork. */
  names?: readonly string[] | undefined;
  mounts?: Mount[] | undefined;
  env?: Record<string, string> | undefined;
  network?: NetworkPolicy | undefined;
  /** Default: the values of the VM that is forked. */
  limits?: Limits | undefined;
  signal?: AbortSignal | undefined;
}

export interface AttachOptions extends SidecarChoice {
  /** `shared` (default), or `takeover`: the other holders get `FENCED`. */
  mode?: "shared" | "takeover" | undefined;
}

export interface SharedSidecarOptions extends SidecarConfiguration {
  /** Default "default". */
  pool?: string | undefined;
}

export interface CreateSidecarOptions extends SidecarConfiguration {
  /** Default `agent-os-sidecar-<uuid>`. */
  sidecarId?: string | undefined;
}

const AnySignal = z.instanceof(AbortSignal, { error: "expected an AbortSignal" });
const Milliseconds = z.int().min(0);
const Pool = z.string().max(256);

const choice = {
  pool: Pool.optional(),
  sidecar: z.unknown().optional(),
  signal: AnySignal.optional(),
};

const configuration = {
  sidecarPath: z.string().min(1).optional(),
  runtimeDirectory: z.string().startsWith("/", "expected an absolute path").optional(),
  stateDirectory: z.string().startsWith("/", "expected an absolute path").optional(),
  pricesFile: z.string().startsWith("/", "expected an absolute path").optional(),
  idleMs: Milliseconds.optional(),
  leaseGraceMs: Milliseconds.optional(),
  maxVms: z.int().min(1).optional(),
  waitingCreates: z.int().min(0).optional(),
  waitingCreateMs: z.int().min(1).optional(),
  warmPoolSize: z.int().min(0).max(64).optional(),
  maxSessions: z.int().min(1).optional(),
  transcriptBytes: z.int().min(1).optional(),
};

const oneSidecar = (value: { pool?: unknown; sidecar?: unknown }): boolean =>
  value.pool === undefined || value.sidecar === undefined;
const ONE_SIDECAR = "expected pool or sidecar, not both";

const Create = z
  .strictObject({
    ...choice,
    name: VmName.optional(),
    driver: z.string().min(1).max(64).optional(),
    image: z.string().min(1).max(256).optional(),
    mounts: z.array(Mount).max(64).optional(),
    env: Environment.optional(),
    limits: Limits.optional(),
    network: NetworkPolicy.optional(),
    security: Security.optional(),
    from: z
      .union([z.string().min(1).max(64), z.object({ snapshotId: Id })])
      .transform((from) => (typeof from === "string" ? from : from.snapshotId))
      .optional(),
  })
  .refine(oneSidecar, ONE_SIDECAR);

const Snapshot = z.strictObject({ name: VmName.optional(), signal: AnySignal.optional() });
const Fork = z.strictObject({
  names: z.array(VmName).max(64).readonly().optional(),
  mounts: z.array(Mount).max(64).optional(),
  env: Environment.optional(),
  network: NetworkPolicy.optional(),
  limits: Limits.optional(),
  signal: AnySignal.optional(),
});
const ForkCount = z.int().min(1).max(64);

const Attach = z
  .strictObject({ ...choice, mode: z.enum(["shared", "takeover"]).optional() })
  .refine(oneSidecar, ONE_SIDECAR);

const Choice = z.strictObject(choice).refine(oneSidecar, ONE_SIDECAR);
const SharedSidecar = z.strictObject({ ...configuration, pool: Pool.optional() });
const CreateSidecar = z.strictObject({
  ...configuration,
  sidecarId: z.string().min(1).max(256).optional(),
});

/** Checks the options of `AgentOs.create`; unknown ones are refused. */
export const parseCreateOptions = (value: CreateOptions): z.infer<typeof Create> =>
  parseArgument(Create, value, "options");
export const parseSnapshotOptions = (value: SnapshotOptions): z.infer<typeof Snapshot> =>
  parseArgument(Snapshot, value, "options");
export const parseForkOptions = (value: ForkOptions): z.infer<typeof Fork> =>
  parseArgument(Fork, value, "options");
/** `exactly`: how many there are to be. */
export const parseForkCount = (value: number, exactly?: number): number =>
  exactly === undefined
    ? parseArgument(ForkCount, value, "count")
    : parseArgument(z.literal(exactly), value, "options.names.length");
export const parseAttachOptions = (value: AttachOptions): z.infer<typeof Attach> =>
  parseArgument(Attach, value, "options");
export const parseSidecarChoice = (value: SidecarChoice): z.infer<typeof Choice> =>
  parseArgument(Choice, value, "options");
export const parseSharedSidecarOptions = (
  value: SharedSidecarOptions,
): z.infer<typeof SharedSidecar> => parseArgument(SharedSidecar, value, "options");
export const parseCreateSidecarOptions = (
  value: CreateSidecarOptions,
): z.infer<typeof CreateSidecar> => parseArgument(CreateSidecar, value, "options");

const processOptions = {
  cwd: VmPath.optional(),
  env: Environment.optional(),
  timeoutMs: z.int().min(1).max(0xffff_ffff).optional(),
  signal: AnySignal.optional(),
};
const listener = z.custom<(chunk: never) => void>(
  (value) => typeof value === "function",
  "expected a function",
);

const Exec = z.strictObject({
  ...processOptions,
  stdin: z.unknown().optional(),
  maxOutputBytes: z.int().min(0).optional(),
  encoding: z.enum(["utf8", "buffer"]).optional(),
  onStdout: listener.optional(),
  onStderr: listener.optional(),
});
const Spawn = z.strictObject({
  ...processOptions,
  stdin: z
    .unknown()
    .refine(
      (value) => typeof value !== "string" || value === "pipe" || value === "none",
      'expected "pipe", "none" or a source',
    )
    .optional(),
  output: z.enum(["piped", "logged"]).optional(),
});
const Kill = z.strictObject({ signal: Signal, scope: SignalScope.optional() });

/** Checks the options of `exec`, which are used as they came. */
export const checkExecOptions = (value: object): void => void parseArgument(Exec, value, "options");
export const checkSpawnOptions = (value: object): void =>
  void parseArgument(Spawn, value, "options");
export const parseKill = (value: {
  signal: string;
  scope?: string | undefined;
}): z.infer<typeof Kill> => parseArgument(Kill, value, "kill");
