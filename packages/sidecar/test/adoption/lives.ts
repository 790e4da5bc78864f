import { cp } from "node:fs/promises";
import { join } from "node:path";

import { type TestClient, TestSidecar, type TestSidecarOptions } from "../sidecar-harness.ts";
import { Machine, OutlivingDriver } from "./outliving-driver.ts";

const GRACE_MS = 1_000;

/** One pool's sidecars, one after the other, on one machine. */
export class Lives implements AsyncDisposable {
  readonly machine = new Machine();
  readonly #options: TestSidecarOptions;
  readonly #past: TestSidecar[] = [];
  #now: TestSidecar | undefined;

  private constructor(options: TestSidecarOptions) {
    this.#options = { pool: "test", leaseGraceMs: GRACE_MS, ...options };
  }

  static async start(options: TestSidecarOptions = {}): Promise<Lives> {
    const lives = new Lives(options);
    lives.#now = await TestSidecar.start(lives.#of());
    return lives;
  }

  get now(): TestSidecar {
    if (this.#now === undefined) throw new Error("there is no first life yet");
    return this.#now;
  }

  connect(): Promise<TestClient> {
    return this.now.connect();
  }

  /**
   * Kills the sidecar and starts the next one: on what its files held at that moment, `outageMs` later, by a clock that
   * goes on. What the killed one would still do happens to nobody.
   */
  async next(
    outageMs = 0,
    prepare: (stateDirectory: string) => void = () => undefined,
  ): Promise<void> {
    const killed = this.now;
    this.#past.push(killed);
    this.machine.abandon();
    this.#now = await TestSidecar.start(this.#of(), async (next) => {
      const state = join(next.directory, "state");
      await cp(join(killed.directory, "state"), state, { recursive: true, mode: 0 });
      prepare(state);
      next.clock.advance(killed.clock.now() + outageMs);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.now[Symbol.asyncDispose]();
    for (const life of this.#past) await life[Symbol.asyncDispose]();
  }

  #of(): TestSidecarOptions {
    return { ...this.#options, drivers: [new OutlivingDriver(this.machine)] };
  }
}
