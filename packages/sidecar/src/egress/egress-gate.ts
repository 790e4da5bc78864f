import type { Socket } from "node:net";

import { type NetworkDecision, type NetworkPolicy } from "@agentos/protocol";

import type { HeldLimits } from "../vms/held-limits.ts";
import { Decisions } from "./decisions.ts";
import {
  assertNamed,
  checkedAddresses,
  connectChecked,
  hostText,
  Refusal,
  type Resolve,
  type Target,
} from "./dial.ts";
import { type Address, EgressPolicy } from "./egress-policy.ts";

/** Characters of what was asked for that are told. */
const SHOWN = 255;
/** Between two looks at how much has passed, while something can. */
const LOOK_MS = 100;

/** What a program asked for. `target` is undefined where `shown` names no host and port. */
export interface Asked {
  readonly via: NetworkDecision["via"];
  readonly target: Target | undefined;
  readonly shown: string;
}

/** A connection that was let through. */
interface Passage {
  readonly asked: Asked;
  readonly target: Target;
  readonly address: Address;
  readonly socket: Socket;
}

export interface EgressUse {
  connections: number;
  allowed: number;
  refused: number;
  sentBytes: number;
  receivedBytes: number;
}

/** The one way out of a VM: decides on every connection, makes it, and cuts what a later policy forbids. */
export class EgressGate {
  readonly decisions = new Decisions();
  readonly #resolve: Resolve;
  readonly #limits: HeldLimits;
  readonly #passages = new Set<Passage>();
  #opening = 0;
  #looking: NodeJS.Timeout | undefined;
  #policy = new EgressPolicy({ egress: "none" });
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(resolve: Resolve, limits: HeldLimits) {
    this.#resolve = resolve;
    this.#limits = limits;
  }

  get policy(): EgressPolicy {
    return this.#policy;
  }

  get use(): EgressUse {
    const open = [...this.#passages].map(({ socket }) => socket);
    const sum = (of: (socket: Socket) => number): number =>
      open.reduce((total, socket) => total + of(socket), 0);
    return {
      connections: open.length,
      ...this.decisions.counts,
      sentBytes: this.#sentBytes + sum((socket) => socket.bytesWritten),
      receivedBytes: this.#receivedBytes + sum((socket) => socket.bytesRead),
    };
  }

  /** Holds from now on, for connections that are there too. */
  setPolicy(policy: NetworkPolicy): void {
    this.#policy = new EgressPolicy(policy);
    for (const passage of this.#passages) {
      if (this.#permits(passage.target, passage.address)) continue;
      this.#tell(passage.asked, { decision: "refused", reason: "the policy was changed" });
      passage.socket.destroy();
    }
  }

  /** Throws a `Refusal`, and tells of it, where the policy says no before a name is looked up. */
  assertNamed(asked: Asked): void {
    try {
      assertNamed(targetOf(asked), this.#policy);
    } catch (error) {
      throw this.#refused(asked, error);
    }
  }

  /** Rejects with a `Refusal`. */
  async open(asked: Asked): Promise<Socket> {
    try {
      const { socket, address } = await this.#open(asked);
      this.#tell(asked, { decision: "allowed", address });
      return socket;
    } catch (error) {
      throw this.#refused(asked, error);
    }
  }

  /** What was let through is found to be something else. */
  revoke(asked: Asked, reason: string): void {
    this.#tell(asked, { decision: "refused", reason });
  }

  async #open(asked: Asked): Promise<{ socket: Socket; address: string }> {
    const target = targetOf(asked);
    this.#checkLimits();
    this.#opening += 1;
    try {
      const addresses = await checkedAddresses(target, this.#policy, this.#resolve);
      const { socket, address } = await connectChecked(addresses, target.port);
      const dialled = addresses.find((each) => each.address === address);
      // The policy may have become another one meanwhile.
      if (dialled === undefined || !this.#permits(target, dialled)) {
        socket.destroy();
        throw new Refusal("policy", "the policy was changed");
      }
      this.#keep({ asked, target, address: dialled, socket });
      return { socket, address };
    } finally {
      this.#opening -= 1;
    }
  }

  #refused(asked: Asked, error: unknown): Refusal {
    const refusal = error instanceof Refusal ? error : new Refusal("unreachable", "it failed");
    this.#tell(asked, { decision: "refused", reason: refusal.message });
    return refusal;
  }

  #checkLimits(): void {
    const [connections, bytes] = [
      this.#limits.value("networkConnections"),
      this.#limits.value("networkBytes"),
    ];
    const open = this.#passages.size + this.#opening;
    if (connections !== undefined && open >= connections) {
      this.#limits.hit("networkConnections", connections);
      throw new Refusal("policy", `the VM has ${connections} connections already`);
    }
    this.#limits.note("networkConnections", connections, open + 1);
    if (bytes === undefined || this.#usedBytes() < bytes) return;
    this.#limits.hit("networkBytes", bytes);
    throw new Refusal("policy", `the VM has sent and received its ${bytes} bytes`);
  }

  #usedBytes(): number {
    const { sentBytes, receivedBytes } = this.use;
    return sentBytes + receivedBytes;
  }

  /** Cuts every connection once too much has passed. */
  #look(): void {
    const bytes = this.#limits.value("networkBytes");
    const used = this.#usedBytes();
    this.#limits.note("networkBytes", bytes, used);
    if (bytes === undefined || used < bytes) return;
    this.#limits.hit("networkBytes", bytes);
    for (const { asked, socket } of this.#passages) {
      this.#tell(asked, { decision: "refused", reason: `more than ${bytes} bytes have passed` });
      socket.destroy();
    }
  }

  #keep(passage: Passage): void {
    const { socket } = passage;
    this.#passages.add(passage);
    this.#looking ??= setInterval(() => this.#look(), LOOK_MS);
    socket.once("close", () => {
      this.#passages.delete(passage);
      if (this.#passages.size === 0) {
        clearInterval(this.#looking);
        this.#looking = undefined;
      }
      this.#sentBytes += socket.bytesWritten;
      this.#receivedBytes += socket.bytesRead;
    });
  }

  #permits({ host, port }: Target, address: Address): boolean {
    if (host.kind === "address") return this.#policy.allowsAddress(address, port);
    return this.#policy.allowsName(host.name, port) && this.#policy.allowsAnswer(address, port);
  }

  #tell(
    { via, target, shown }: Asked,
    outcome: Pick<NetworkDecision, "decision" | "address" | "reason">,
  ): void {
    const host = target === undefined ? shown.slice(0, SHOWN) : hostText(target.host);
    this.decisions.tell({ via, host, port: target?.port ?? 0, ...outcome });
  }
}

function targetOf({ target }: Asked): Target {
  if (target === undefined) throw new Refusal("policy", "it names no host and port");
  return target;
}
