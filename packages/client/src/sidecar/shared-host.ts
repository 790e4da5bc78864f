import { join } from "node:path";

import { AgentOsError, DEFAULTS } from "@agentos/protocol";

import { Connection } from "../connection/connection.ts";
import { discover, hasDiscoveryFile } from "./discovery.ts";
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

const POLL_MIN_MS = 10;
const POLL_MAX_MS = 250;
/** After losing the election: how long the winner is waited for before another start. */
const WINNER_MS = 3_000;

/** A pool's sidecar: whichever one of the user's programs started, alive or started now. It ends itself. */
export class SharedHost implements SidecarHost {
  readonly #sidecarId: string;
  readonly #pool: string;
  readonly #configuration: SidecarConfiguration;

  constructor(sidecarId: string, pool: string, configuration: SidecarConfiguration) {
    this.#sidecarId = sidecarId;
    this.#pool = pool;
    this.#configuration = configuration;
  }

  async find(): Promise<Connection | undefined> {
    return await discover(await this.#folder());
  }

  /** A sidecar that ends as it should takes its discovery file with it, and every VM. */
  async mayHaveVms(): Promise<boolean> {
    const base = runtimeDirectory(this.#configuration.runtimeDirectory);
    return hasDiscoveryFile(join(base, sidecarFolder("pool", this.#pool)));
  }

  async connect(): Promise<Connection> {
    const folder = await this.#folder();
    const deadline = performance.now() + DEFAULTS.sidecarStartMs;
    let connection = await discover(folder);
    while (connection === undefined) {
      connection = (await this.#start(folder)) ?? (await waitForWinner(folder, deadline));
      if (connection === undefined && performance.now() > deadline) throw this.#stuck();
    }
    return connection;
  }

  /** Alive or started now: a sidecar takes over what the last one of its pool hosted. */
  async reconnect(): Promise<Connection> {
    return await this.connect();
  }

  async end(): Promise<void> {
    // A sidecar that others share ends itself after its idle time.
  }

  async #folder(): Promise<string> {
    const base = runtimeDirectory(this.#configuration.runtimeDirectory);
    return await prepareFolder(base, sidecarFolder("pool", this.#pool));
  }

  async #start(folder: string): Promise<Connection | undefined> {
    const started = await SidecarProcess.start({
      mainPath: findSidecar(this.#configuration.sidecarPath),
      logPath: join(folder, "sidecar.log"),
      request: startRequest(this.#configuration, {
        sidecarId: this.#sidecarId,
        stateDirectory: join(
          stateDirectory(this.#configuration.stateDirectory),
          sidecarFolder("pool", this.#pool),
        ),
        runtimeDirectory: folder,
        pool: this.#pool,
      }),
    });
    if (started === undefined) return undefined;
    try {
      return await Connection.open(started.ready);
    } catch (error) {
      // Ready, and yet not to be talked to: it must not stay.
      await started.kill();
      throw error;
    }
  }

  #stuck(): AgentOsError {
    const reason = `another sidecar of pool ${JSON.stringify(this.#pool)} is alive but could not be reached within ${DEFAULTS.sidecarStartMs} ms`;
    return new AgentOsError("SIDECAR_START_FAILED", reason, { reason, stderr: [] });
  }
}

/** Reads again and again, ever slower, until the elected sidecar answers. */
async function waitForWinner(folder: string, deadline: number): Promise<Connection | undefined> {
  const until = Math.min(deadline, performance.now() + WINNER_MS);
  for (let waitMs = POLL_MIN_MS; ; waitMs = Math.min(POLL_MAX_MS, waitMs * 1.5)) {
    const connection = await discover(folder);
    if (connection !== undefined || performance.now() > until) return connection;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
