import type { Server } from "node:http";

import type { VmDoor, VmHandle } from "@agentos/core";
import { AgentOsError, type NetworkPolicy } from "@agentos/protocol";

import { HeldLimits } from "../vms/held-limits.ts";
import { VmSocket } from "../vms/vm-socket.ts";
import { resolveHere, type Resolve } from "./dial.ts";
import { EgressGate } from "./egress-gate.ts";
import { createHttpProxy } from "./http-proxy.ts";
import { serveSocks } from "./socks-proxy.ts";

/** Where a VM's programs find the way out, on their own loopback. */
const PROXY_PORT = { http: 3128, socks: 1080 } as const;

const HTTP = `http://127.0.0.1:${PROXY_PORT.http}`;
const OWN = "localhost,127.0.0.1,::1";

/** What programs look for. Not SOCKS for `ALL_PROXY`: some fail at once where they lack a library for it. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  HTTP_PROXY: HTTP,
  HTTPS_PROXY: HTTP,
  ALL_PROXY: HTTP,
  http_proxy: HTTP,
  https_proxy: HTTP,
  all_proxy: HTTP,
  NODE_USE_ENV_PROXY: "1",
};

export interface EgressParts {
  readonly resolve?: Resolve;
  readonly limits?: HeldLimits;
}

/** The way out of one VM: its policy, and while that is not "none" two doors, a proxy behind each. */
export class VmEgress {
  readonly gate: EgressGate;
  readonly #http: Server;
  readonly #sockets = new Set<VmSocket>();
  /** Names that programs reach without the proxy. */
  peers: readonly string[] = [];
  #doors: VmDoor[] = [];
  #policy: NetworkPolicy = { egress: "none" };
  /** One change after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor({ resolve = resolveHere, limits = new HeldLimits() }: EgressParts = {}) {
    this.gate = new EgressGate(resolve, limits);
    this.#http = createHttpProxy(this.gate);
  }

  get policy(): NetworkPolicy {
    return this.#policy;
  }

  /** For processes that start now. */
  get environment(): Readonly<Record<string, string>> {
    if (this.#doors.length === 0) return {};
    const direct = [OWN, ...this.peers].join(",");
    return { ...ENVIRONMENT, NO_PROXY: direct, no_proxy: direct };
  }

  /** Holds once it resolves; what it forbids is cut. Rejects with `UNSUPPORTED` or `PORT_IN_USE`, and nothing has changed. */
  async apply(handle: VmHandle, policy: NetworkPolicy): Promise<void> {
    const change = this.#changing.then(() => this.#apply(handle, policy));
    this.#changing = change.catch(() => undefined);
    await change;
  }

  /** The VM is gone. */
  close(): void {
    this.gate.setPolicy({ egress: "none" });
    for (const socket of this.#sockets) socket.destroy();
    this.#doors = [];
  }

  async #apply(handle: VmHandle, policy: NetworkPolicy): Promise<void> {
    if (policy.egress !== "none" && this.#doors.length === 0) await this.#open(handle);
    this.gate.setPolicy(policy);
    this.#policy = policy;
    if (policy.egress === "none") await this.#shut();
  }

  async #open({ network, isolation }: VmHandle): Promise<void> {
    if (network === undefined) throw noNetwork(isolation, "a network policy other than none");
    const http = await network.open({ port: PROXY_PORT.http }, (incoming) => {
      this.#http.emit("connection", this.#keep(VmSocket.accept(incoming)));
    });
    try {
      const socks = await network.open({ port: PROXY_PORT.socks }, (incoming) => {
        void serveSocks(this.gate, this.#keep(VmSocket.accept(incoming)));
      });
      this.#doors = [http, socks];
    } catch (error) {
      await http[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #shut(): Promise<void> {
    const doors = this.#doors;
    this.#doors = [];
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(doors.map((door) => door[Symbol.asyncDispose]()));
  }

  #keep(socket: VmSocket): VmSocket {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

/** A VM whose driver has no network. */
export function noNetwork(isolation: string, what: string): AgentOsError<"UNSUPPORTED"> {
  const instead = 'Use a VM of the driver "linux", or the policy { egress: "none" }.';
  const message = `a VM of ${isolation} has no network`;
  return new AgentOsError("UNSUPPORTED", message, { what, instead });
}
