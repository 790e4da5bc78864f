import { rm } from "node:fs/promises";
import { join } from "node:path";

import { AgentOsError } from "@agentos/protocol";

import { Connection } from "../connection/connection.ts";
import { findSidecar } from "./find-sidecar.ts";
import {
  prepareFolder,
  runtimeDirectory,
  sidecarFolder,
  stateDirectory,
} from "./runtime-directory.ts";
import type { SidecarConfiguration } from "./sidecar-configuration.ts";
import type { SidecarHost } from "./sidecar-host.ts";
import { SidecarProcess } from "./sidecar-process.ts";
import { startRequest } from "./start-request.ts";

/** A sidecar of this program's own: its process ends with its last VM, or with the program. */
export class ExplicitHost implements SidecarHost {
  readonly #sidecarId: string;
  readonly #folderName: string;
  readonly #configuration: SidecarConfiguration;
  #process: SidecarProcess | undefined;
  #ending: Promise<void> = Promise.resolve();

  /** `instance` tells this handle from others with the same id: each has a process of its own. */
  constructor(sidecarId: string, instance: string, configuration: SidecarConfiguration) {
    this.#sidecarId = sidecarId;
    this.#folderName = sidecarFolder("explicit", `${sidecarId}\0${instance}`);
    this.#configuration = configuration;
  }

  async find(): Promise<Connection | undefined> {
    const ready = this.#process?.ready;
    return ready === undefined ? undefined : await Connection.open(ready);
  }

  async mayHaveVms(): Promise<boolean> {
    return this.#process !== undefined;
  }

  async connect(): Promise<Connection> {
    // The last process's folder must be free before the next one takes it.
    await this.end();
    const folder = await prepareFolder(
      runtimeDirectory(this.#configuration.runtimeDirectory),
      this.#folderName,
    );
    const started = await this.#start(folder);
    this.#process = started;
    try {
      return await Connection.open(started.ready);
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** The same process only: what it hosted ends with it. */
  async reconnect(): Promise<Connection | undefined> {
    try {
      return await this.find();
    } catch {
      // Nobody at that address can be asked any more.
      return undefined;
    }
  }

  async end(): Promise<void> {
    const ended = this.#process;
    this.#process = undefined;
    if (ended !== undefined) this.#ending = this.#ending.then(() => this.#end(ended));
    await this.#ending;
  }

  async #start(folder: string): Promise<SidecarProcess> {
    try {
      const started = await SidecarProcess.start({
        mainPath: findSidecar(this.#configuration.sidecarPath),
        logPath: join(folder, "sidecar.log"),
        request: startRequest(this.#configuration, {
          sidecarId: this.#sidecarId,
          stateDirectory: this.#stateDirectory(),
          runtimeDirectory: folder,
        }),
      });
      if (started !== undefined) return started;
      const reason = "an explicit sidecar answered that another one is alive";
      throw new AgentOsError("SIDECAR_START_FAILED", reason, { reason, stderr: [] });
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async #end(ended: SidecarProcess): Promise<void> {
    await ended.end();
    const base = runtimeDirectory(this.#configuration.runtimeDirectory);
    await rm(join(base, this.#folderName), { recursive: true, force: true });
    await rm(this.#stateDirectory(), { recursive: true, force: true });
  }

  /** An explicit sidecar's state is its own, and goes with its process. */
  #stateDirectory(): string {
    return join(stateDirectory(this.#configuration.stateDirectory), this.#folderName);
  }
}
