import type { EventData, EventName } from "@agentos/protocol";

/** What happens to a VM, as its sidecar tells it. */
export interface VmListener {
  exited(exit: EventData<"process.exited">): void;
  ended(end: EventData<"vm.ended">): void;
  fenced(fence: EventData<"lease.fenced">): void;
  limited(limit: EventData<"vm.limit">): void;
  nearLimit(near: EventData<"vm.limitNear">): void;
  connected(decision: EventData<"vm.network">): void;
}

type EventHandlers = { readonly [E in EventName]: (data: EventData<E>) => void };

/** Hands a connection's events to the leases that they are about. */
export class EventRouter {
  readonly #listeners = new Map<string, Set<VmListener>>();
  readonly #handlers: EventHandlers;

  constructor(closing: () => void) {
    this.#handlers = {
      "process.exited": (exit) => this.#each(exit.vmId, (listener) => listener.exited(exit)),
      // What was answered before it, and came with it, is heard before it.
      "vm.ended": (end) =>
        void setImmediate(() => this.#each(end.vmId, (listener) => listener.ended(end))),
      "lease.fenced": (fence) => this.#each(fence.vmId, (listener) => listener.fenced(fence)),
      "vm.limit": (limit) => this.#each(limit.vmId, (listener) => listener.limited(limit)),
      "vm.limitNear": (near) => this.#each(near.vmId, (listener) => listener.nearLimit(near)),
      "vm.network": (decision) =>
        this.#each(decision.vmId, (listener) => listener.connected(decision)),
      "sidecar.closing": () => closing(),
    };
  }

  /** Listens to one VM; the result stops it. */
  subscribe(vmId: string, listener: VmListener): () => void {
    const listeners = this.#listeners.get(vmId) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(vmId, listeners);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(vmId) === listeners)
        this.#listeners.delete(vmId);
    };
  }

  route<E extends EventName>(event: E, data: EventData<E>): void {
    this.#handlers[event](data);
  }

  #each(vmId: string, tell: (listener: VmListener) => void): void {
    for (const listener of this.#listeners.get(vmId) ?? []) tell(listener);
  }
}
