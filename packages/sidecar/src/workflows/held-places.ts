import type { Clock, SessionVms, WorkflowPlace, WorkflowPlaces } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";
import type { Relay } from "@agentos/relay";
import type { SessionHost } from "@agentos/sessions";

import { RelayAgents } from "./relay-agents.ts";
import { VmCommands } from "./vm-commands.ts";

export interface HeldPlacesOptions {
  readonly vms: SessionVms;
  readonly sessions: SessionHost;
  readonly relay: () => Relay;
  readonly clock: Clock;
}

/** VMs for workflow runs: held as by a running turn, reached with the fence that the run was started with. */
export class HeldPlaces implements WorkflowPlaces {
  readonly #options: HeldPlacesOptions;

  constructor(options: HeldPlacesOptions) {
    this.#options = options;
  }

  hold(user: string, vmId: string, fence: number): WorkflowPlace {
    const { vms, sessions, clock } = this.#options;
    const relay = this.#options.relay();
    const vm = vms.hold(user, vmId, fence);
    const ended = vm.ended.then((reason) => {
      const message = `VM ${vmId} has ended: ${reason}`;
      return new AgentOsError("VM_ENDED", message, { vmId, reason });
    });
    return {
      agents: new RelayAgents({ sessions, relay, clock }, { user, vmId, fence }),
      commands: new VmCommands(vm, clock),
      lost: Promise.race([ended, vm.fenced]),
      release: () => vm.release(),
    };
  }
}
