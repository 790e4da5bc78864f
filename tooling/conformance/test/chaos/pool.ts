import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, type AgentOsSidecar } from "@agentos/client";

/** A pool of a test's own: its sidecars, whoever kills them, live and end in its directory. */
export class Pool implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "aos-"));
  #sidecar: AgentOsSidecar | undefined;

  /** The handle on the pool's sidecar, whichever life of it. */
  async sidecar(): Promise<AgentOsSidecar> {
    if (this.#sidecar?.describe().state === "ready") return this.#sidecar;
    this.#sidecar = await AgentOs.getSharedSidecar(this.configuration);
    return this.#sidecar;
  }

  get configuration(): { pool: string; runtimeDirectory: string; stateDirectory: string } {
    return {
      pool: this.directory,
      runtimeDirectory: this.runtimeDirectory,
      stateDirectory: join(this.directory, "state"),
    };
  }

  get runtimeDirectory(): string {
    return join(this.directory, "run");
  }

  /** Where the sidecar's socket and discovery file are. */
  get folder(): string {
    const [name = ""] = readdirSync(this.runtimeDirectory);
    return join(this.runtimeDirectory, name);
  }

  async create(): Promise<AgentOs> {
    return await AgentOs.create({ sidecar: await this.sidecar() });
  }

  /** The pid of the sidecar of now. */
  async pid(): Promise<number> {
    return (await (await this.sidecar()).info()).pid;
  }

  /** The pid in the discovery file: of the sidecar of now, or of the last one while there is none. */
  discoveredPid(): number {
    const text = readFileSync(join(this.folder, "sidecar.json"), "utf8");
    const content: { pid: number } = JSON.parse(text);
    return content.pid;
  }

  /** `kill -9` of the sidecar of now, which is one that this pool started. */
  async kill(): Promise<void> {
    process.kill(await this.pid(), "SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const sidecar = await this.sidecar();
    await sidecar.shutdown();
    await sidecar.dispose();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
