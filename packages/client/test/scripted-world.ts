import { AgentOs, disposeSharedSidecars } from "@agentos/client";
import type { Handlers } from "@agentos/protocol";
import { afterEach, beforeEach } from "vitest";

import {
  type ScriptedConnection,
  ScriptedSidecar,
  temporaryDirectory,
} from "./scripted-sidecar.ts";

/** What one test has: a directory, and the scripted sidecars that listen in it. All of it goes with the test. */
export class ScriptedWorld {
  #directory: ReturnType<typeof temporaryDirectory> | undefined;
  #servers: ScriptedSidecar[] = [];

  /** A new one for each test of the file. */
  static use(): ScriptedWorld {
    const world = new ScriptedWorld();
    beforeEach(() => {
      world.#directory = temporaryDirectory();
    });
    afterEach(() => world.#end());
    return world;
  }

  /** The test's own directory, which is the runtime directory too. */
  get path(): string {
    if (this.#directory === undefined) throw new Error("there is no directory outside a test");
    return this.#directory.path;
  }

  /** A scripted sidecar, and a VM on it. */
  async start(
    handlers: (connection: ScriptedConnection) => Handlers,
  ): Promise<[AgentOs, ScriptedSidecar]> {
    const runtimeDirectory = this.path;
    const server = this.keep(await ScriptedSidecar.listen({ runtimeDirectory, handlers }));
    const sidecar = await AgentOs.getSharedSidecar({ runtimeDirectory });
    return [await AgentOs.create({ sidecar }), server];
  }

  /** It ends with the test. */
  keep(server: ScriptedSidecar): ScriptedSidecar {
    this.#servers.push(server);
    return server;
  }

  async #end(): Promise<void> {
    await disposeSharedSidecars();
    for (const server of this.#servers.splice(0)) await server[Symbol.asyncDispose]();
    this.#directory?.[Symbol.dispose]();
    this.#directory = undefined;
  }
}
