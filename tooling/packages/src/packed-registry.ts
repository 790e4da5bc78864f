import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { EmptyFolder } from "./empty-folder.ts";
import { LocalRegistry } from "./local-registry.ts";
import { packAll, type UnpackedPackage } from "./pack.ts";
import { type Tarball, tarballOf } from "./tarball.ts";
import { thirdPartyFolders } from "./third-party.ts";

/** What this clone would publish, in a registry on loopback with all that it depends on. */
export class PackedRegistry implements AsyncDisposable {
  readonly registry: LocalRegistry;
  /** For what a test makes of the tarballs. */
  readonly folder: string;
  readonly tarballs: readonly Tarball[];
  /** Those that this machine can't pack: vmd for another processor. */
  readonly unpacked: readonly UnpackedPackage[];

  /** With `optionalPeers` the registry also has what the packages can use, but don't need. */
  static async make({ optionalPeers = false } = {}): Promise<PackedRegistry> {
    const folder = await mkdtemp(join(tmpdir(), "aos-packed-"));
    const registry = await LocalRegistry.start();
    try {
      const [packed, others] = await Promise.all([
        packAll(folder),
        Promise.all(
          thirdPartyFolders(optionalPeers).map(async (found) => tarballOf(found, folder)),
        ),
      ]);
      for (const tarball of [...packed.tarballs, ...others]) await registry.add(tarball);
      for (const { published } of packed.unpacked) registry.addForeign(published.manifest);
      return new PackedRegistry(folder, registry, packed.tarballs, packed.unpacked);
    } catch (error) {
      await registry[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(
    folder: string,
    registry: LocalRegistry,
    tarballs: readonly Tarball[],
    unpacked: readonly UnpackedPackage[],
  ) {
    this.folder = folder;
    this.registry = registry;
    this.tarballs = tarballs;
    this.unpacked = unpacked;
  }

  /** The tarball of one of ours. */
  tarball(name: string): Tarball {
    const found = this.tarballs.find(({ manifest }) => manifest.name === name);
    if (found === undefined) throw new Error(`expected ${name} to be packed`);
    return found;
  }

  /** An empty folder in which these are installed by npm. */
  async install(...words: readonly string[]): Promise<EmptyFolder> {
    const folder = await EmptyFolder.make(this.registry.url);
    const { exitCode, stderr } = await folder.npmInstall(...words);
    if (exitCode === 0) return folder;
    await folder[Symbol.asyncDispose]();
    throw new Error(`npm install ${words.join(" ")}: exit code ${exitCode}\n${stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}
