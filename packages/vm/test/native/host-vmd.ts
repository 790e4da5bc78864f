// Starts the vmd program and VMs in it, as root or as an ordinary user.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { failure, field, frame, Kind, Link, u32, u64 } from "./host-link.ts";

const packageRoot = fileURLToPath(new URL("../..", import.meta.url));
export const isRoot = process.geteuid?.() === 0;

/** Builds the program if its sources are newer; undefined where it can't be had. */
export function buildVmd(): string | undefined {
  if (process.env["VMD_UNDER_TEST"]) return process.env["VMD_UNDER_TEST"];
  if (process.platform !== "linux") return undefined;
  execFileSync(process.execPath, ["scripts/build-vmd.mjs"], { cwd: packageRoot, stdio: "pipe" });
  const program = join(packageRoot, "dist", `vmd-linux-${process.arch}`);
  return existsSync(program) ? program : undefined;
}

/** As whom a spawner runs. Root's VMs get host ids of their own. */
export interface User {
  name: string;
  uid: number;
}
export const users: User[] = isRoot
  ? [
      { name: "root", uid: 0 },
      { name: "an ordinary user", uid: 12345 },
    ]
  : [{ name: "an ordinary user", uid: process.getuid?.() ?? 0 }];

export interface VmOptions {
  id?: string;
  socketPath?: string;
  hostUid?: number;
  cgroups?: string[];
  create?: Buffer[];
  /** Fields added to CONFIG. */
  config?: Buffer[];
}

export interface ExecResult {
  code: number;
  signal: number;
  stdout: string;
  stderr: string;
}

const sizes = [
  field(20, "vm"),
  field(21, u64(4 << 20)),
  field(22, u64(4096)),
  field(23, u64(64 << 20)),
  field(24, u64(16_384)),
  field(25, u64(16 << 20)),
];

export const system = (source: string, target = source) => field(26, `${source}\0${target}`);
export const link = (content: string, path: string) => field(27, `${content}\0${path}`);
export const file = (path: string, content: string, mode = 0o644) =>
  field(28, Buffer.concat([u32(mode), Buffer.from(`${path}\0${content}`)]));
export const mount = (
  kind: "read-only" | "read-write" | "memory",
  source: string,
  target: string,
  { mapOwner = false, bytes = 0 } = {},
) => {
  const number = ["read-only", "read-write", "memory"].indexOf(kind);
  const start = Buffer.concat([Buffer.from([number, mapOwner ? 1 : 0]), u64(bytes)]);
  return field(29, Buffer.concat([start, Buffer.from(`${source}\0${target}`)]));
};

/** A root that programs of the host run in. */
export function hostPrograms(): Buffer[] {
  const links = ["bin", "sbin", "lib", "lib64"].filter((name) => existsSync(`/${name}`));
  return [
    ...sizes,
    system("/usr"),
    ...links.map((name) => link(`usr/${name}`, `/${name}`)),
    ...["/etc/alternatives", "/etc/ssl", "/etc/ld.so.cache"]
      .filter((path) => existsSync(path))
      .map((path) => system(path)),
    file("/etc/passwd", "agent:x:1000:1000::/home/agent:/bin/bash\n"),
    file("/etc/group", "agent:x:1000:\n"),
    file("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    field(30, u64(4096)),
    field(31, u64(512)),
  ];
}

export class Vm {
  readonly link: Link;
  readonly pid: number;
  #stream = 0;

  constructor(connection: Link, pid: number) {
    this.link = connection;
    this.pid = pid;
  }

  /** Runs a program to its end. One at a time. */
  async exec(args: string[], env: string[] = []): Promise<ExecResult> {
    const stream = ++this.#stream;
    const fields = [field(40, `exec-${stream}`), ...args.map((arg) => field(41, arg))];
    const path = "PATH=/opt/node:/usr/local/bin:/usr/bin:/bin";
    for (const entry of [path, "HOME=/home/agent", ...env]) fields.push(field(42, entry));
    fields.push(field(43, "/workspace"), field(44, u32(0)), field(45, u32(1 << 20)));
    this.link.send(frame(Kind.exec, Buffer.concat(fields), stream));
    const output = { [Kind.out]: "", [Kind.err]: "" };
    for (;;) {
      const received = await this.link.next();
      const failed = failure(received);
      if (received === undefined) throw new Error("the link closed");
      if (failed) throw new Error(`FAIL ${failed.errno} ${failed.step}`);
      if (received.kind === Kind.out || received.kind === Kind.err) {
        output[received.kind] += received.payload.toString();
        const total = received.offset + BigInt(received.payload.length);
        const channel = Buffer.from([received.kind === Kind.out ? 1 : 2]);
        this.link.send(frame(Kind.ack, channel, stream, total));
      }
      if (received.kind !== Kind.exit) continue;
      this.link.send(frame(Kind.release, undefined, stream));
      const number = received.payload.readUInt32LE(1);
      const signaled = received.payload[0] === 1;
      return {
        code: signaled ? -1 : number,
        signal: signaled ? number : 0,
        stdout: output[Kind.out],
        stderr: output[Kind.err],
      };
    }
  }

  sh(script: string): Promise<ExecResult> {
    return this.exec(["bash", "-c", script]);
  }
}

/** A spawner of its own, in a directory of its own. */
export class Spawner {
  readonly directory: string;
  readonly socketPath: string;
  readonly user: User;
  readonly child: ChildProcess;
  stderr = "";
  #count = 0;

  private constructor(user: User, directory: string, child: ChildProcess) {
    this.user = user;
    this.directory = directory;
    this.socketPath = join(directory, "s");
    this.child = child;
    child.stderr?.on("data", (chunk) => (this.stderr += String(chunk)));
  }

  static async start(program: string, user: User): Promise<Spawner> {
    const directory = mkdtempSync(join(tmpdir(), "vmd-"));
    const copy = join(directory, "vmd");
    copyFileSync(program, copy);
    chmodSync(copy, 0o755);
    if (isRoot) chownSync(directory, user.uid, user.uid);
    // A descriptor and an environment that no VM may see.
    const child = spawn(copy, ["spawner", join(directory, "s")], {
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      env: { HOST_SECRET: "host-secret-value" },
      ...(isRoot ? { uid: user.uid, gid: user.uid } : {}),
    });
    const spawner = new Spawner(user, directory, child);
    if (!child.stdout) throw new Error("no stdout");
    const first: unknown[] = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    if (String(first[0]) !== "ready\n") throw new Error(`spawner: ${spawner.stderr}`);
    return spawner;
  }

  connect(): Promise<Link> {
    return Link.open(this.socketPath, isRoot ? this.user.uid : undefined);
  }

  createFrame(options: VmOptions = {}): Buffer {
    const id = options.id ?? `vm-${++this.#count}`;
    const socketPath = options.socketPath ?? join(this.directory, `${id}.sock`);
    const fields = [
      field(1, id),
      field(2, Buffer.alloc(32, 7)),
      field(3, u64(1)),
      field(4, socketPath),
      field(7, u32(1000)),
      ...(options.cgroups ?? []).map((path) => field(8, path)),
      ...(options.create ?? []),
    ];
    if (this.user.uid === 0) {
      const uid = u32(options.hostUid ?? 100_000 + this.#count);
      fields.push(field(5, uid), field(6, uid));
    }
    return frame(Kind.create, Buffer.concat(fields));
  }

  /** Sends CREATE and CONFIG in one write, as the sidecar does. */
  async create(options: VmOptions = {}): Promise<Vm> {
    const connection = await this.connect();
    const config = Buffer.concat([...hostPrograms(), ...(options.config ?? [])]);
    connection.send(this.createFrame(options), frame(Kind.config, config));
    const launched = await connection.next();
    const early = failure(launched);
    if (early) throw new Error(`FAIL ${early.errno} ${early.step}`);
    if (launched?.kind !== Kind.launched) throw new Error("expected LAUNCHED");
    const ready = await connection.next();
    const failed = failure(ready);
    if (failed) throw new Error(`FAIL ${failed.errno} ${failed.step}`);
    if (ready?.kind !== Kind.ready) throw new Error("expected READY");
    return new Vm(connection, launched.payload.readUInt32LE());
  }

  /** SIGTERM, then waits for the end. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exited = once(this.child, "exit");
      this.child.kill("SIGTERM");
      await exited;
    }
    rmSync(this.directory, { recursive: true, force: true });
    return this.child.exitCode;
  }
}
