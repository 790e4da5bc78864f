// Builds and starts native/test/agent-harness.c: the agent with sanitizers, on the bare host.
import { execFile, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { AgentLink } from "./agent-link.ts";
import { Kind } from "./frame-codec.ts";

const run = promisify(execFile);
const native = fileURLToPath(new URL("../../native", import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/agent-harness", import.meta.url));
const sources = [
  "adopt agent connection connection-io dispatch door exec-request file-copy file-job file-remove file-stream files frame link link-output",
  "process process-io process-list process-signal process-start process-stdin reader ring terminal",
  "builtin-job sha256 tree-input tree-list tree-output tree-pack tree-unpack watch-job watch-tell watch-tree",
]
  .join(" ")
  .split(" ")
  .map((name) => `${name}.c`);
const sanitizers = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const plain = ["-O2", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2"];
const warnings = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing"];

/** Whether this machine is a Linux with a compiler and its sanitizers. */
export const canRunAgent =
  process.platform === "linux" &&
  spawnSync("cc", [...sanitizers, "-x", "c", "-o", "/dev/null", "-"], {
    input: "int main(void) { return 0; }",
  }).status === 0;

async function hashSources(flags: string[]): Promise<string> {
  const hash = createHash("sha256").update(flags.join(" "));
  const headers = (await readdir(native)).filter((name) => name.endsWith(".h")).toSorted();
  for (const name of [...headers, ...sources, "test/agent-harness.c"]) {
    // oxlint-disable-next-line no-await-in-loop
    hash.update(await readFile(join(native, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** The path of the program; compiled when a source has changed. */
async function buildHarness({ fast = false } = {}): Promise<string> {
  const flags = [...(fast ? plain : sanitizers), ...warnings];
  const path = join(cache, `agent-${await hashSources(flags)}`);
  if (existsSync(path)) return path;
  await mkdir(cache, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  const files = [...sources, "test/agent-harness.c"].map((name) => join(native, name));
  await run("cc", [...flags, "-o", unfinished, ...files]);
  await rename(unfinished, path);
  return path;
}

/** A static program that copies its stdin to its stdout, for an agent without a file system. */
export async function buildStaticCat(target: string): Promise<void> {
  const source = `${target}.c`;
  const code =
    "char b[4096]; int main(void) { long n; while ((n = read(0, b, 4096)) > 0) n = write(1, b, n); return n; }";
  await writeFile(source, `#include <unistd.h>\n${code}\n`);
  await run("cc", ["-static", "-O1", "-o", target, source]);
}

export interface Agent extends AsyncDisposable {
  readonly link: AgentLink;
  readonly process: ChildProcess;
  readonly pid: number;
  readonly socketPath: string;
  readonly folder: string;
  /** The exit code, and what sanitizers had to say. */
  readonly exited: Promise<{ code: number | null; signal: string | null; stderr: string }>;
}

export const secretByte = 7;

/** Its exit code where it could not be locked into a folder. */
const NOT_LOCKED_IN = 4;

/** This root may not do what locking a program in takes: as in most containers. */
export class NotLockedIn extends Error {
  override readonly name = "NotLockedIn";
}

interface StartOptions {
  readonly fast?: boolean;
  readonly graceMs?: number;
  readonly configure?: boolean;
  /** A folder that it can't leave. */
  readonly root?: string;
}

function watchExit(child: ChildProcess): Agent["exited"] {
  const { promise, resolve } = Promise.withResolvers<Awaited<Agent["exited"]>>();
  let stderr = "";
  child.stderr?.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
  child.on("close", (code, signal) => resolve({ code, signal, stderr }));
  return promise;
}

async function configureAgent(link: AgentLink, exited: Agent["exited"]): Promise<void> {
  link.send(Kind.config, 0);
  const ready = await Promise.race([link.next(0), exited]);
  if ("kind" in ready && ready.kind === Kind.ready) return;
  if ("code" in ready && ready.code === NOT_LOCKED_IN)
    throw new NotLockedIn("the agent could not take a network, a root and a user of its own");
  throw new Error(`not ready: ${JSON.stringify(ready)}`);
}

/** Throws `NotLockedIn` where it can't be, with `root`. */
export async function startAgent(options: StartOptions = {}): Promise<Agent> {
  const { fast = false, graceMs = 20_000, configure = true, root } = options;
  const program = await buildHarness({ fast });
  const folder = await mkdtemp(join(tmpdir(), "vmd-agent-"));
  const socketPath = join(folder, "adopt");
  const args = [socketPath, "5", String(secretByte), String(graceMs)];
  if (root !== undefined) args.push(root);
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: { ASAN_OPTIONS: "detect_leaks=0:abort_on_error=1" },
  });
  const exited = watchExit(child);
  const socket = child.stdio[3];
  if (!(socket instanceof Socket) || child.pid === undefined)
    throw new Error("the harness did not start");
  const link = new AgentLink(socket);
  if (configure) await configureAgent(link, exited);
  const dispose = async () => {
    link.close();
    child.kill("SIGKILL");
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  return {
    link,
    process: child,
    pid: child.pid,
    socketPath,
    folder,
    exited,
    [Symbol.asyncDispose]: dispose,
  };
}
