import { once } from "node:events";
import { createServer, type Server } from "node:net";

import type { AgentEndpoint, Clock, ModelCall, ModelRoute, SessionVm } from "@agentos/core";
import { FakeModelServer, type FakeModelServerOptions } from "@agentos/fake-model";
import type { AgentOsError } from "@agentos/protocol";
import { FakeDriver, fakeSessionVm } from "@agentos/testing";

import { Gateway } from "../../src/gateway/gateway.ts";
import { SystemClock } from "../../src/system-clock.ts";

export const KEY = "sk-canary-5e0d7c1b9a8f4e2d";

/** The engine's side of a route, as a test looks at it. */
export class TestRoute implements ModelRoute {
  readonly calls: ModelCall[] = [];
  refusal: AgentOsError | undefined;
  asked = 0;
  heardCount = 0;
  readonly #called: (() => void)[] = [];
  readonly sessionId: string;
  readonly vm: SessionVm;
  readonly provider: ModelRoute["provider"];

  constructor(sessionId: string, vm: SessionVm, provider: ModelRoute["provider"]) {
    this.sessionId = sessionId;
    this.vm = vm;
    this.provider = provider;
  }

  mayCall(): AgentOsError | undefined {
    this.asked += 1;
    return this.refusal;
  }

  heard(): void {
    this.heardCount += 1;
  }

  called(call: ModelCall): void {
    this.calls.push(call);
    for (const tell of this.#called.splice(0)) tell();
  }

  /** Resolves once so many calls were told. */
  async until(count: number): Promise<readonly ModelCall[]> {
    while (this.calls.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#called.push(resolve);
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await promise;
    }
    return this.calls;
  }
}

/** A gateway between loopback sockets, which stand for a VM's door, and a scripted provider. */
export class GatewayWorld implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly server: FakeModelServer;
  readonly #doors = new Map<string, Promise<Server>>();
  readonly #driver = new FakeDriver();

  private constructor(server: FakeModelServer, clock: Clock) {
    this.server = server;
    this.gateway = new Gateway({
      key: Buffer.alloc(32, 7),
      clock,
      openDoor: async ({ vmId }) => {
        const door = this.#doors.get(vmId) ?? this.#listen(vmId);
        this.#doors.set(vmId, door);
        return portOf(await door);
      },
    });
  }

  static async start(
    options: FakeModelServerOptions,
    clock: Clock = new SystemClock(),
  ): Promise<GatewayWorld> {
    return new GatewayWorld(await FakeModelServer.start({ keys: [KEY], ...options }), clock);
  }

  async vm(vmId: string): Promise<SessionVm> {
    const signal = AbortSignal.timeout(5_000);
    const request = {
      vmId,
      image: "host",
      mounts: [],
      limits: {},
      requiredLimits: [],
      network: { egress: "none" as const },
      security: "standard" as const,
    };
    const handle = await this.#driver.create(request, { signal });
    return fakeSessionVm(handle);
  }

  /** A session of that provider, its model at the scripted server. */
  async session(
    name: string,
    { sessionId = "s1", vm, path = "/v1", apiKey = KEY }: SessionOptions = {},
  ): Promise<{ endpoint: AgentEndpoint; route: TestRoute }> {
    const provider = { name, baseUrl: `${this.server.url}${path}`, apiKey };
    const route = new TestRoute(sessionId, vm ?? (await this.vm("vm-1")), provider);
    const signal = AbortSignal.timeout(5_000);
    return { endpoint: await this.gateway.open(route, { signal }), route };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gateway[Symbol.dispose]();
    for (const door of this.#doors.values()) {
      // oxlint-disable-next-line no-await-in-loop -- There is one or two.
      const server = await door;
      server.close();
    }
    await this.server[Symbol.asyncDispose]();
    await this.#driver[Symbol.asyncDispose]();
  }

  async #listen(vmId: string): Promise<Server> {
    const server = createServer({ noDelay: true }, (socket) => this.gateway.accept(socket, vmId));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  }
}

interface SessionOptions {
  sessionId?: string;
  vm?: SessionVm;
  path?: string;
  apiKey?: string;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
