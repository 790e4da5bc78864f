import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, type AgentOsSidecar, type Session, type SessionOptions } from "@agentos/client";
import { type Log, Sidecar } from "@agentos/sidecar";
import {
  FakeDriver,
  type Script,
  ScriptedRuntime,
  type ScriptedRuntimeOptions,
} from "@agentos/testing";

const POOL = "sessions";
const nothing = (): void => undefined;
const SILENT: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A real sidecar in this process, on a real socket, with fake VMs and agents that play a script; and a client. */
export class SessionWorld implements AsyncDisposable {
  readonly runtime: ScriptedRuntime;
  readonly os: AgentOs;
  readonly sidecar: AgentOsSidecar;
  readonly #directory: string;
  readonly #hosting: Sidecar;

  static async start(options: ScriptedRuntimeOptions = {}): Promise<SessionWorld> {
    const directory = await mkdtemp(join(tmpdir(), "cs-"));
    const runtimeDirectory = join(directory, "run");
    const stateDirectory = join(directory, "state");
    const runtime = new ScriptedRuntime(options);
    const sidecar = await AgentOs.getSharedSidecar({
      pool: POOL,
      runtimeDirectory,
      stateDirectory,
    });
    // Looking for one makes the pool's folder.
    await sidecar.find();
    const [folder = ""] = await readdir(runtimeDirectory);
    const started = await Sidecar.start({
      sidecarId: "client-test",
      pool: POOL,
      stateDirectory,
      runtimeDirectory: join(runtimeDirectory, folder),
      drivers: async () => [new FakeDriver()],
      runtimes: [runtime],
      log: SILENT,
    });
    if (started === undefined) throw new Error("another sidecar has this test's directory");
    const os = await AgentOs.create({ sidecar, driver: "fake" });
    return new SessionWorld({ directory, runtime, hosting: started.sidecar, sidecar, os });
  }

  private constructor(parts: {
    directory: string;
    runtime: ScriptedRuntime;
    hosting: Sidecar;
    sidecar: AgentOsSidecar;
    os: AgentOs;
  }) {
    this.#directory = parts.directory;
    this.#hosting = parts.hosting;
    this.runtime = parts.runtime;
    this.sidecar = parts.sidecar;
    this.os = parts.os;
  }

  /** A session whose agent plays `script`. */
  async session(script?: Script, options: Partial<SessionOptions> = {}): Promise<Session> {
    if (script !== undefined) this.runtime.script = script;
    return await this.os.createSession({ runtime: "scripted", ...options });
  }

  /** Another VM of the same user. */
  async otherVm(): Promise<AgentOs> {
    return await AgentOs.create({ sidecar: this.sidecar, driver: "fake" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sidecar.dispose();
    await this.#hosting.close("the test is over");
    await rm(this.#directory, { recursive: true, force: true });
  }
}
