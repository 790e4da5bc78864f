import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ProcessRequest, VmHandle, VmProcessExit, VmRequest } from "@agentos/core";
import { LinuxDriver, type LinuxDriverOptions } from "@agentos/vm";

import { CollectingSink } from "./collecting-sink.ts";

export const WINDOW_BYTES = 256 * 1024;

let ids = 0;

/** An id that no other test of this process has. */
export function nextId(): string {
  ids += 1;
  return `t${process.pid}-${ids}`;
}

/** A driver in a folder of its own; disposing removes both. */
export class DriverFixture implements AsyncDisposable {
  readonly driver: LinuxDriver;
  readonly folder: string;

  constructor(folder: string, options: Partial<LinuxDriverOptions>) {
    this.folder = folder;
    const runDirectory = join(folder, "run");
    // What tests count is theirs alone.
    this.driver = new LinuxDriver({ runDirectory, warmPoolSize: 0, ...options });
  }

  static async start(options: Partial<LinuxDriverOptions> = {}): Promise<DriverFixture> {
    return new DriverFixture(await mkdtemp(join(tmpdir(), "vm-")), options);
  }

  async create(change: Partial<VmRequest> = {}): Promise<VmHandle> {
    return this.driver.create(vmRequest(change), { signal: AbortSignal.timeout(30_000) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.driver[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function vmRequest(change: Partial<VmRequest> = {}): VmRequest {
  return {
    vmId: nextId(),
    image: "host",
    mounts: [],
    limits: { diskBytes: 512 * 1024 * 1024 },
    requiredLimits: [],
    network: { egress: "none" },
    security: "standard",
    ...change,
  };
}

export function processRequest(
  vm: VmHandle,
  argv: readonly string[],
  change: Partial<ProcessRequest> = {},
): ProcessRequest {
  return {
    processId: nextId(),
    argv,
    cwd: "/workspace",
    env: vm.environment,
    stdin: "none",
    output: "piped",
    windowBytes: WINDOW_BYTES,
    ...change,
  };
}

export interface Ran {
  exit: VmProcessExit;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end with everything that it wrote. */
export async function run(
  vm: VmHandle,
  argv: readonly string[],
  change: Partial<ProcessRequest> = {},
  stdin?: Uint8Array,
): Promise<Ran> {
  const sink = new CollectingSink();
  const request = processRequest(vm, argv, { ...(stdin ? { stdin: "pipe" } : {}), ...change });
  const started = await vm.startProcess(request, sink);
  sink.attach(started);
  if (stdin !== undefined) await sink.write(started, stdin, request.windowBytes);
  const exit = await started.exited;
  if (!exit.stdoutOpen) sink.total(0, exit.stdoutBytes);
  if (!exit.stderrOpen) sink.total(1, exit.stderrBytes);
  await sink.complete();
  started.close();
  return { exit, stdout: sink.text(), stderr: sink.text("stderr") };
}

/** Writes a whole file. */
export async function writeFile(
  vm: VmHandle,
  path: string,
  content: Uint8Array | string,
): Promise<number> {
  const sink = new CollectingSink();
  const bytes = Buffer.from(content);
  const write = vm.files.write(
    { path, mode: 0o644, start: 0, how: "truncate", windowBytes: WINDOW_BYTES },
    sink,
  );
  await sink.write(write, bytes, WINDOW_BYTES);
  const { size } = await write.written;
  return size;
}

/** Reads a file, or a part of one. */
export async function readFile(
  vm: VmHandle,
  path: string,
  part: { start?: number; length?: number } = {},
): Promise<Buffer> {
  const sink = new CollectingSink(1);
  const { stream } = await vm.files.read(
    { path, start: 0, windowBytes: WINDOW_BYTES, ...part },
    sink,
  );
  sink.attach(stream);
  await sink.complete();
  stream.close();
  return Buffer.concat(sink.stdout);
}
