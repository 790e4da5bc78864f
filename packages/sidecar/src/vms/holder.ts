import type { VmHandle } from "@agentos/core";
import type { EventData, EventName } from "@agentos/protocol";

import type { HeldLease } from "../leases/lease-table.ts";
import type { Vm } from "./vm.ts";

/** A connection, as far as leases are concerned. */
export interface Holder {
  readonly id: string;
  readonly user: string;
  readonly isClosed: boolean;
  emit<E extends EventName>(event: E, data: EventData<E>): void;
  /** It holds nothing on that VM any more. */
  letGo(vmKey: string): void;
}

/** A VM that a holder may act on right now. */
export interface Access {
  vm: Vm;
  handle: VmHandle;
  lease: HeldLease;
}
