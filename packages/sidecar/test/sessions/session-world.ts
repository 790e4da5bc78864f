import type { MethodParams } from "@agentos/protocol";
import { type Script, ScriptedRuntime, type ScriptedRuntimeOptions } from "@agentos/testing";

import { type TestClient, TestSidecar, type TestSidecarOptions } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";

export type Spec = MethodParams<"session.create">["session"];

export interface SessionWorldOptions {
  readonly runtime?: ScriptedRuntimeOptions;
  readonly spec?: Partial<Spec>;
  readonly sidecar?: TestSidecarOptions;
}

/** A sidecar, a client, and one session whose agent plays a script. */
export class SessionWorld implements AsyncDisposable {
  readonly world: TestSidecar;
  readonly client: TestClient;
  readonly runtime: ScriptedRuntime;
  readonly session: SessionClient;

  private constructor(
    world: TestSidecar,
    client: TestClient,
    runtime: ScriptedRuntime,
    session: SessionClient,
  ) {
    this.world = world;
    this.client = client;
    this.runtime = runtime;
    this.session = session;
  }

  static async start(script?: Script, options: SessionWorldOptions = {}): Promise<SessionWorld> {
    const own = script === undefined ? {} : { script };
    const runtime = new ScriptedRuntime({ ...own, ...options.runtime });
    const world = await TestSidecar.start({ runtimes: [runtime], ...options.sidecar });
    const client = await world.connect();
    const session = await SessionClient.create(client, options.spec);
    return new SessionWorld(world, client, runtime, session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.world[Symbol.asyncDispose]();
  }
}
