import { randomBytes } from "node:crypto";
import { lstat, mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";

import { openCgroups } from "../cgroup/open-cgroups.ts";
import type { VmCgroups } from "../cgroup/vm-cgroup.ts";
import type { LinuxDriverOptions } from "./driver-options.ts";
import { BlockIdentities, type IdentitySource, OwnIdentity } from "./identity.ts";
import { LinkSecrets, socketName } from "./link-secrets.ts";
import { Spawner } from "./spawner.ts";
import { encodeCreate } from "./vm-config.ts";
import { VmLaunch } from "./vm-launch.ts";
import { findVmd, unavailable } from "./vmd-binary.ts";

/** What every VM of a driver is started from: the spawner, host ids, cgroups and secrets. */
export class LaunchSource implements AsyncDisposable {
  readonly identities: IdentitySource;
  readonly secrets: LinkSecrets;
  readonly #options: LinuxDriverOptions;
  #isDisposed = false;
  #madeDirectory = false;
  #cgroups: Promise<VmCgroups> | undefined;
  #spawner: Promise<Spawner> | undefined;

  constructor(options: LinuxDriverOptions) {
    this.#options = options;
    this.secrets = new LinkSecrets(options.linkKey);
    const root = process.geteuid?.() === 0;
    this.identities = root ? new BlockIdentities(options.identityDirectory) : new OwnIdentity();
  }

  get epoch(): number {
    return this.#options.epoch ?? 1;
  }

  async vmd(): Promise<string> {
    return this.#options.vmdPath ?? (await findVmd());
  }

  async cgroups(): Promise<VmCgroups> {
    this.#cgroups ??= openCgroups();
    return this.#cgroups;
  }

  /** A VM that is not begun yet, on what `encodeImage` made; of a lineage with its host id. Its ids and cgroups are given back once it is gone. */
  async launch(image: Uint8Array, hostId?: number): Promise<VmLaunch> {
    // Its own and no user's: what is late for one VM must not meet another of the same name.
    const linkId = `vm-${randomBytes(8).toString("hex")}`;
    const [cgroups, spawner] = await Promise.all([this.cgroups(), this.#runningSpawner()]);
    const cgroup = await cgroups.prepare(linkId);
    const taking = hostId === undefined ? this.identities.take() : this.identities.reserve(hostId);
    const identity = await taking.catch(async (error: unknown) => {
      await cgroup.remove();
      throw error;
    });
    const secret = this.secrets.of(linkId);
    const socketPath = join(this.#options.runDirectory, socketName(linkId));
    const create = encodeCreate({
      linkId,
      secret,
      epoch: this.epoch,
      socketPath,
      hostId: identity.hostId,
      adoptGraceMs: this.#options.adoptGraceMs ?? 0,
      cgroups: cgroup.directories,
    });
    const { watch } = spawner;
    watch.onMemory(linkId, () => cgroup.changed());
    const parts = { linkId, watch, socketPath, secret, identity, cgroup, create, image };
    const launch = new VmLaunch(parts);
    void giveBack(launch);
    return launch;
  }

  /** `keepSpawner`: VMs of it live on with another sidecar. */
  async end(keepSpawner: boolean): Promise<void> {
    this.#isDisposed = true;
    const spawner = await this.#spawner?.catch(() => undefined);
    if (keepSpawner) spawner?.release();
    else await spawner?.[Symbol.asyncDispose]();
    const cgroups = await this.#cgroups;
    await cgroups?.[Symbol.asyncDispose]();
    await this.identities[Symbol.asyncDispose]();
    // Another driver may have sockets in it.
    if (this.#madeDirectory) await rmdir(this.#options.runDirectory).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end(false);
  }

  /** The one that runs, or a new one in the place of one that died. */
  async #runningSpawner(): Promise<Spawner> {
    const starting = (this.#spawner ??= this.#startSpawner());
    try {
      return await starting;
    } catch (error) {
      if (this.#spawner === starting) this.#spawner = undefined;
      throw error;
    }
  }

  async #startSpawner(): Promise<Spawner> {
    const vmd = await this.vmd();
    await this.#prepareDirectory();
    const name = `s-${randomBytes(8).toString("hex")}`;
    const spawner = await Spawner.start(vmd, join(this.#options.runDirectory, name));
    void spawner.watch.closed.then(() => this.#replaceSpawner(spawner));
    return spawner;
  }

  async #replaceSpawner(spawner: Spawner): Promise<void> {
    if (this.#isDisposed) return;
    this.#spawner = undefined;
    await spawner[Symbol.asyncDispose]();
  }

  async #prepareDirectory(): Promise<void> {
    const { runDirectory } = this.#options;
    const made = await mkdir(runDirectory, { recursive: true, mode: 0o700 });
    this.#madeDirectory ||= made !== undefined;
    const found = await lstat(runDirectory);
    if (!found.isDirectory() || found.uid !== process.geteuid?.() || (found.mode & 0o077) !== 0) {
      throw unavailable(`${runDirectory} must be a directory that only the sidecar's user can use`);
    }
  }
}

async function giveBack({ end, options }: VmLaunch): Promise<void> {
  await end.gone;
  options.identity.release();
  await options.cgroup.remove();
}
