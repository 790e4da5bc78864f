import type { Clock } from "@agentos/core";

import { ImageHost } from "../images/image-host.ts";
import type { Log } from "../log.ts";
import { SnapshotHost } from "../snapshots/snapshot-host.ts";
import type { Store } from "../store/store.ts";
import type { DriverSet } from "./driver-set.ts";
import type { VmRegistry } from "./vm-registry.ts";

export interface FileHostParts {
  readonly drivers: DriverSet;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/** What VMs' files begin with: snapshots and images. */
export interface FileHosts {
  readonly snapshots: SnapshotHost;
  readonly images: ImageHost;
}

export function makeFileHosts(parts: FileHostParts, registry: VmRegistry): FileHosts {
  const shared = { ...parts, store: parts.store.snapshots, vmsOf: registry.of.bind(registry) };
  const snapshots = new SnapshotHost({
    ...shared,
    keepRecord: (vm, record) => parts.store.setRecord(vm.facts.key, record),
  });
  const images = new ImageHost({
    ...shared,
    usersOf: (user, image) => snapshots.usersOfImage(user, image),
    onRemoved: () => snapshots.sweepSoon(),
  });
  return { snapshots, images };
}
