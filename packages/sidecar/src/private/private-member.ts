import type { VmDoor, VmHandle, VmIncoming } from "@agentos/core";
import { AgentOsError, isAgentOsError } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { errorFacts, type Log } from "../log.ts";
import type { Vm } from "../vms/vm.ts";
import { VmSocket } from "../vms/vm-socket.ts";
import { writeHosts } from "./hosts-file.ts";
import { joinSockets } from "./join-sockets.ts";

export interface PrivateMemberParts {
  readonly vm: Vm;
  readonly handle: VmHandle;
  /** Of its network. */
  readonly key: string;
  /** One of its own, in every member's loopback. */
  readonly address: string;
  readonly log: Log;
}

/** joined -> left */
type MemberState = "joined" | "left";

interface Door {
  readonly door: VmDoor;
  readonly peer: PrivateMember;
}

/** One VM on a private network: what it offers, and its doors to what the others offer. */
export class PrivateMember {
  readonly key: string;
  readonly address: string;
  readonly #parts: PrivateMemberParts;
  #ports: ReadonlySet<number> = new Set();
  /** By the place in this VM. */
  readonly #doors = new Map<string, Door>();
  /** Both ends of connections that it made or took, and whose they are. */
  readonly #sockets = new Map<VmSocket, { peer: PrivateMember; port: number }>();
  #hosts = "";
  #opening = 0;
  #state: MemberState = "joined";

  constructor(parts: PrivateMemberParts) {
    this.#parts = parts;
    this.key = parts.key;
    this.address = parts.address;
  }

  /** What its programs find it by. */
  get name(): string {
    return this.#parts.vm.name ?? this.#parts.vm.id;
  }

  /** The ports that the others may reach from now on. Connections to others of it are cut. */
  offers(ports: readonly number[]): void {
    this.#ports = new Set(ports);
  }

  takes(port: number): boolean {
    return this.#state === "joined" && this.#ports.has(port);
  }

  /** Its doors and names are those of the members, from when it resolves. What is no longer offered is cut. */
  async meet(members: readonly PrivateMember[]): Promise<void> {
    if (this.#state !== "joined" || this.#parts.vm.state === "ended") return;
    const peers = members.filter((each) => each !== this);
    for (const [socket, { peer, port }] of this.#sockets)
      if (!peers.includes(peer) || !peer.takes(port)) socket.destroy();
    const wanted = new Map<string, { peer: PrivateMember; port: number }>(
      peers.flatMap((peer) =>
        [...peer.#ports].map((port) => [`${peer.address}:${port}`, { peer, port }] as const),
      ),
    );
    for (const [place, { door }] of this.#doors) {
      if (wanted.has(place)) continue;
      this.#doors.delete(place);
      // oxlint-disable-next-line no-await-in-loop -- It sends one frame.
      await door[Symbol.asyncDispose]();
    }
    for (const [place, { peer, port }] of wanted)
      // oxlint-disable-next-line no-await-in-loop -- In order, so that a bound leaves out the last ones.
      if (!this.#doors.has(place)) await this.#open(place, peer, port);
    await this.#name(members);
  }

  /** It reaches nobody, and nobody reaches it. */
  async leave(): Promise<void> {
    this.#state = "left";
    for (const socket of this.#sockets.keys()) socket.destroy();
    const doors = [...this.#doors.values()];
    this.#doors.clear();
    await Promise.all(doors.map(({ door }) => door[Symbol.asyncDispose]()));
    if (this.#parts.vm.state === "running") await this.#name([]);
  }

  async #open(place: string, peer: PrivateMember, port: number): Promise<void> {
    const { vm, handle, log } = this.#parts;
    if (handle.network === undefined) throw unsupported(handle.isolation);
    try {
      const door = await handle.network.open({ port, address: peer.address }, (incoming) => {
        void this.#carry(incoming, peer, port);
      });
      this.#doors.set(place, { door, peer });
    } catch (error) {
      if (isAgentOsError(error, "VM_ENDED")) return;
      // A program of its own has the port at every address, or there are too many doors.
      log.warn({ vmId: vm.id, place, ...errorFacts(error) }, "a peer's port could not be opened");
      this.#tell(peer, port, "the VM's own programs have that port at every address");
    }
  }

  async #carry(incoming: VmIncoming, peer: PrivateMember, port: number): Promise<void> {
    const problem = this.#problem(peer, port);
    if (problem !== undefined) {
      incoming.refuse();
      return this.#tell(peer, port, problem);
    }
    this.#opening += 1;
    try {
      const server = await peer.#reach(port);
      const still = this.#problem(peer, port);
      if (still !== undefined) {
        server.destroy();
        throw new Error(still);
      }
      const program = VmSocket.accept(incoming);
      this.#keep(program, peer, port);
      this.#keep(server, peer, port);
      joinSockets(program, server);
      this.#tell(peer, port);
    } catch (error) {
      refuse(incoming);
      const closed = isAgentOsError(error, "PORT_CLOSED");
      this.#tell(peer, port, closed ? "nothing listens there" : "it could not be reached");
    } finally {
      this.#opening -= 1;
    }
  }

  /** Why a connection may not be. */
  #problem(peer: PrivateMember, port: number): string | undefined {
    if (this.#state === "left") return "the VM has left the private network";
    if (!peer.takes(port)) return `${peer.name} does not offer it`;
    const { limits } = this.#parts.vm;
    const most = limits.value("networkConnections");
    if (most === undefined || this.#sockets.size / 2 + this.#opening < most) return undefined;
    limits.hit("networkConnections", most);
    return `the VM has ${most} connections already`;
  }

  async #reach(port: number): Promise<VmSocket> {
    const { network } = this.#parts.handle;
    // What the sidecar has in that VM's loopback is for that VM alone.
    if (network === undefined || network.doors.has(port))
      throw new Error("the port is the sidecar's own");
    const signal = AbortSignal.timeout(BOUNDS.privateConnectMs);
    return await VmSocket.connect(network, { port }, { signal });
  }

  #keep(socket: VmSocket, peer: PrivateMember, port: number): void {
    this.#sockets.set(socket, { peer, port });
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #tell(peer: PrivateMember, port: number, reason?: string): void {
    const { decisions } = this.#parts.vm.egress.gate;
    const asked = { via: "private", host: peer.name, port } as const;
    if (reason === undefined)
      decisions.tell({ ...asked, decision: "allowed", address: peer.address });
    else decisions.tell({ ...asked, decision: "refused", reason });
  }

  async #name(members: readonly PrivateMember[]): Promise<void> {
    const { vm, handle, log } = this.#parts;
    const peers = members.filter((each) => each !== this);
    vm.egress.peers = peers.map(({ name }) => name);
    const lines = members.map(({ address, name }) => `${address} ${name}\n`).toSorted();
    const hosts = lines.join("");
    if (hosts === this.#hosts) return;
    try {
      await writeHosts(handle.files, hosts);
      this.#hosts = hosts;
    } catch (error) {
      log.warn({ vmId: vm.id, ...errorFacts(error) }, "a VM was not told its peers' names");
    }
  }
}

function refuse(incoming: VmIncoming): void {
  try {
    incoming.refuse();
  } catch {
    // It was taken before what failed.
  }
}

function unsupported(isolation: string): AgentOsError<"UNSUPPORTED"> {
  const message = `a VM of ${isolation} has no network`;
  return new AgentOsError("UNSUPPORTED", message, { what: "a private network" });
}
