import type { Duplex } from "node:stream";

import type { VmDoor, VmHandle, VmNetwork, VmPort } from "@agentos/core";
import { AgentOsError, isAgentOsError } from "@agentos/protocol";

import { VmSocket } from "./vm-socket.ts";

export interface VmDoorsOptions {
  /** What programs find behind it, for an error about it. */
  readonly what: string;
  /** Tried one after the other where a program of the VM has the first. */
  readonly places: readonly VmPort[];
  /** A program has come: `vmKey` is the driver's id of its VM, unique across users. */
  readonly onSocket: (socket: Duplex, vmKey: string) => void;
}

/** Where programs of VMs meet one thing of the sidecar: a door in each VM that needs it, opened once and for the VM's life. */
export class VmDoors {
  readonly #options: VmDoorsOptions;
  readonly #open = new Map<VmHandle, Promise<VmDoor>>();

  constructor(options: VmDoorsOptions) {
    this.#options = options;
  }

  /** The VM's door. Rejects with `UNSUPPORTED` where the driver has no network, or `PORT_IN_USE`. */
  async open(vm: VmHandle): Promise<VmDoor> {
    const known = this.#open.get(vm);
    if (known !== undefined) return await known;
    const door = this.#make(vm);
    this.#open.set(vm, door);
    // It is closed with its VM.
    void vm.ended.then(() => this.#open.delete(vm));
    try {
      return await door;
    } catch (error) {
      // It may be tried again.
      this.#open.delete(vm);
      throw error;
    }
  }

  async #make(vm: VmHandle): Promise<VmDoor> {
    const { what, places } = this.#options;
    const { network } = vm;
    if (network === undefined) {
      const message = `the VM's driver has no network, so its programs reach no ${what}`;
      throw new AgentOsError("UNSUPPORTED", message, { what });
    }
    for (const [index, place] of places.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const door = await this.#try(network, place, vm.vmId, index === places.length - 1);
      if (door !== undefined) return door;
    }
    throw new AgentOsError("INTERNAL", `there is no place for the ${what}`, {});
  }

  /** Undefined: somebody else has the place, and it is not the last one. */
  async #try(
    network: VmNetwork,
    place: VmPort,
    vmKey: string,
    isLast: boolean,
  ): Promise<VmDoor | undefined> {
    const { onSocket } = this.#options;
    try {
      return await network.open(place, (incoming) => onSocket(VmSocket.accept(incoming), vmKey));
    } catch (error) {
      if (isAgentOsError(error, "PORT_IN_USE") && !isLast) return undefined;
      throw error;
    }
  }
}
