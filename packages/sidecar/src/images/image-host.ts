import type { VmRecord } from "@agentos/core";
import { AgentOsError, type ImageInfo } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import type { SnapshotStore } from "../store/snapshot-store.ts";
import type { StoredImage } from "../store/stored-snapshot.ts";
import type { DriverSet } from "../vms/driver-set.ts";
import type { Vm } from "../vms/vm.ts";

const HOST = "host";
const DRIVER = "linux";

export interface ImageHostParts {
  readonly drivers: DriverSet;
  readonly store: SnapshotStore;
  /** The user's VMs, starting ones included. */
  readonly vmsOf: (user: string) => Vm[];
  /** Snapshots and lasting disks on the image, as people know them. */
  readonly usersOf: (user: string, image: string) => string[];
  /** Its files may go. */
  readonly onRemoved: () => void;
}

/** The root filesystems that a sidecar's users have given it, besides the host's. */
export class ImageHost {
  readonly #parts: ImageHostParts;
  /** By user and name: they are being taken. */
  readonly #adding = new Set<string>();

  constructor(parts: ImageHostParts) {
    this.#parts = parts;
  }

  /** Rejects with `ALREADY_EXISTS` and `IMAGE_REFUSED`. */
  async add(user: string, { name, path }: { name: string; path: string }): Promise<ImageInfo> {
    const { store, drivers } = this.#parts;
    const key = `${user}\0${name}`;
    if (name === HOST || store.image(user, name) !== undefined || this.#adding.has(key)) {
      const message = `there is an image named ${name} already`;
      throw new AgentOsError("ALREADY_EXISTS", message, { kind: "image", id: name });
    }
    this.#checkRoom(user);
    this.#adding.add(key);
    try {
      const driver = await drivers.choose(DRIVER);
      if (driver.addImage === undefined) throw unsupported();
      const record = await driver.addImage(name, path);
      const image = { user, name, driver: driver.name, source: path, record };
      const stored = { ...image, createdAt: new Date().toISOString() };
      store.addImage(stored);
      return infoOf(stored);
    } finally {
      this.#adding.delete(key);
    }
  }

  list(user: string): ImageInfo[] {
    return [{ name: HOST, kind: "host" }, ...this.#parts.store.images(user).map(infoOf)];
  }

  /** Throws `NOT_FOUND`, and `IN_USE` while something stands on it. */
  remove(user: string, name: string): void {
    const { store, vmsOf, usersOf, onRemoved } = this.#parts;
    if (store.image(user, name) === undefined)
      throw new AgentOsError("NOT_FOUND", `no image ${name}`, { kind: "image", id: name });
    const vms = vmsOf(user).filter(({ facts, state }) => facts.image === name && state !== "ended");
    const by = [...new Set([...vms.map((vm) => vm.name ?? vm.id), ...usersOf(user, name)])];
    if (by.length > 0) {
      const message = `the image ${name} is in use by ${by.join(", ")}: end or remove that first`;
      throw new AgentOsError("IN_USE", message, { kind: "image", id: name, by });
    }
    store.removeImage(user, name);
    onRemoved();
  }

  /** Where it is; undefined for the host's. Throws `IMAGE_NOT_FOUND`. */
  record(user: string, image: string): VmRecord | undefined {
    if (image === HOST) return undefined;
    const found = this.#parts.store.image(user, image);
    if (found !== undefined) return found.record;
    const known = this.list(user).map(({ name }) => name);
    const message = `expected one of the images ${known.join(", ")}, got ${image}`;
    throw new AgentOsError("IMAGE_NOT_FOUND", message, { image, known });
  }

  #checkRoom(user: string): void {
    const { length } = this.#parts.store.images(user);
    if (length < BOUNDS.imagesPerUser) return;
    const details = { limit: "images", capacity: BOUNDS.imagesPerUser, waiting: 0 };
    const message = `there are ${length} images, and no more may be: remove some`;
    throw new AgentOsError("POOL_EXHAUSTED", message, details);
  }
}

function infoOf({ name, source, createdAt, record }: StoredImage): ImageInfo {
  const kind = record["kind"] === "directory" ? "directory" : "archive";
  return { name, kind, source, createdAt };
}

function unsupported(): AgentOsError<"UNSUPPORTED"> {
  const what = "an image of one's own";
  const message = `${what} takes the driver ${DRIVER}`;
  return new AgentOsError("UNSUPPORTED", message, { what, instead: `driver: "${DRIVER}"` });
}
