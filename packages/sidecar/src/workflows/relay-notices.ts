import { randomUUID } from "node:crypto";

import type { WorkflowNotices } from "@agentos/core";
import type { Relay } from "@agentos/relay";

/** Tells the members of a channel what became of a workflow, as the system. */
export class RelayNotices implements WorkflowNotices {
  readonly #relay: () => Relay;

  constructor(relay: () => Relay) {
    this.#relay = relay;
  }

  async tell(user: string, _vmId: string, channel: string, text: string): Promise<void> {
    const relay = this.#relay().of(user);
    const to = `#${channel.replace(/^#/, "")}`;
    await relay.send({ messageId: `wf_${randomUUID()}`, to, text }, relay.sender("system"));
  }
}
