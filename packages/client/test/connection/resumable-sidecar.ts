import { AgentOs } from "@agentos/client";
import {
  encodeFrame,
  FRAME_KIND,
  type Handlers,
  type LeasedVm,
  type ParsedParams,
  type ProcessExit,
} from "@agentos/protocol";

import { exitOf } from "../scripted-process.ts";
import { type ScriptedConnection, ScriptedSidecar } from "../scripted-sidecar.ts";

/** A pool's name for which the scripted bin ends at once, with an error that another try may not meet. */
export const UNSTARTABLE_POOL = "exits";
/** What a test's sidecar answers on each of its connections. */
export type HandlersOf = (connection: ScriptedConnection, server: ScriptedSidecar) => Handlers;

const GRACE_MS = 5_000;

/** A scripted sidecar whose leases outlive their connections, and a VM on it. */
export async function startResumable(
  runtimeDirectory: string,
  handlers: HandlersOf,
  options: { pool?: string; sidecarPath?: string; graceMs?: number } = {},
): Promise<{ os: AgentOs; server: ScriptedSidecar }> {
  const { pool = "default", sidecarPath = "/nonexistent/main.js", graceMs } = options;
  const server = await listenResumable(runtimeDirectory, handlers, {
    pool,
    ...(graceMs === undefined ? {} : { graceMs }),
  });
  const sidecar = await AgentOs.getSharedSidecar({ runtimeDirectory, pool, sidecarPath });
  return { os: await AgentOs.create({ sidecar }), server };
}

/** The next life of the same pool's sidecar, or the first. */
export async function listenResumable(
  runtimeDirectory: string,
  handlers: HandlersOf,
  options: { pool?: string; epoch?: number; graceMs?: number } = {},
): Promise<ScriptedSidecar> {
  const { graceMs: ttlMs = GRACE_MS, ...own } = options;
  const server: ScriptedSidecar = await ScriptedSidecar.listen({
    runtimeDirectory,
    ...own,
    handlers: (connection) => ({
      "vm.create": ({ vmId, leaseId, name }) => leased(server, { vmId, leaseId, name }, ttlMs),
      "lease.resume": ({ leaseId, vmId, fence }) => ({ leaseId, vmId, fence, ttlMs }),
      ...handlers(connection, server),
    }),
  });
  return server;
}

/** A VM that was made and leased. */
export function leased(
  server: ScriptedSidecar,
  { vmId, leaseId, name }: { vmId: string; leaseId: string; name?: string | undefined },
  ttlMs = GRACE_MS,
): LeasedVm {
  return { lease: { leaseId, vmId, fence: 1, ttlMs }, vm: server.vm(vmId, name) };
}

/** Cuts the connection at the `cutAt`-th call of `passed`, counted over all connections; once. */
export class Cutter {
  readonly #cutAt: number;
  readonly #cut = new WeakSet<ScriptedConnection>();
  #passed = 0;

  constructor(cutAt: number) {
    this.#cutAt = cutAt;
  }

  /** Whether the connection still stands. */
  passes(connection: ScriptedConnection): boolean {
    if (this.#cut.has(connection)) return false;
    this.#passed += 1;
    if (this.#passed !== this.#cutAt) return true;
    this.#cut.add(connection);
    connection.destroy();
    return false;
  }
}

/** A process whose output is known: says what is missing to whoever asks, and then its end. */
export class KnownProcess {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly asked: ParsedParams<"process.exec">[] = [];
  readonly #pieceBytes: number;

  constructor(stdout: Buffer, stderr: Buffer, pieceBytes: number) {
    this.stdout = stdout;
    this.stderr = stderr;
    this.#pieceBytes = pieceBytes;
  }

  /** What it answers a request with, once all of it is sent; undefined: the connection was cut before. */
  answer(
    connection: ScriptedConnection,
    params: ParsedParams<"process.exec">,
    cutter: Cutter,
  ): ProcessExit | undefined {
    this.asked.push(params);
    const { stream, received = { stdout: 0, stderr: 0 } } = params;
    const channels = [
      [FRAME_KIND.out, this.stdout, received.stdout],
      [FRAME_KIND.err, this.stderr, received.stderr],
    ] as const;
    for (const [kind, bytes, from] of channels) {
      for (let at = from; at < bytes.length; at += this.#pieceBytes) {
        if (!cutter.passes(connection)) return undefined;
        const piece = bytes.subarray(at, at + this.#pieceBytes);
        connection.peer.sendFrame(encodeFrame(kind, stream, at, piece));
      }
    }
    if (!cutter.passes(connection)) return undefined;
    const sizes = { stdoutBytes: this.stdout.length, stderrBytes: this.stderr.length };
    return exitOf(params.processId, { exitCode: 3, ...sizes });
  }
}

/** A request that is never answered. */
export function never(): Promise<never> {
  return new Promise<never>(() => undefined);
}
