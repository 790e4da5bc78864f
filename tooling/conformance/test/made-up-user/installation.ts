import { globSync } from "node:fs";
import {
  constants,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { execa } from "execa";

import { ThirdParty } from "./third-party.ts";

const WORKSPACE = join(import.meta.dirname, "../../../..");
/** What the scenarios read beside the packages. */
const TEST_FILES = ["tooling/conformance/test", "tooling/conformance/probe", "docs"];

/** The packed packages, installed in a folder of their own that everybody can read, with the scenarios and what runs them. */
export class Installation implements AsyncDisposable {
  readonly directory: string;
  /** The Node that runs here: the tests' own may be where only this user can go. */
  readonly node: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.node = join(directory, "bin/node");
  }

  static async make(): Promise<Installation> {
    const made = new Installation(await mkdtemp(join(tmpdir(), "aos-user-")));
    try {
      await made.#fill();
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A folder that only `user` can enter. */
  async home(user: number): Promise<string> {
    const home = join(this.directory, "home");
    await mkdir(home, { mode: 0o700 });
    await execa("chown", [`${user}:${user}`, home]);
    return home;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  async #fill(): Promise<void> {
    const { directory } = this;
    await mkdir(join(directory, "bin"));
    await copyFile(process.execPath, this.node, constants.COPYFILE_FICLONE);
    const thirdParty = new ThirdParty(directory);
    await thirdParty.link(directory, "vitest", join(WORKSPACE, "node_modules"));
    // Optional for those who install; the scenarios of terminals look at screens.
    const ofClient = join(WORKSPACE, "packages/client/node_modules");
    await thirdParty.link(directory, "@xterm/headless", ofClient);
    // What the scenarios read is parsed.
    await thirdParty.link(directory, "zod", ofClient);
    for (const { name, origin } of await publishedPackages()) {
      const place = join(directory, "node_modules", name);
      await this.#install(name, origin, place);
      await thirdParty.provide(place, join(place, "package.json"), origin);
    }
    for (const path of TEST_FILES) {
      await cp(join(WORKSPACE, path), join(directory, path), { recursive: true });
    }
    await writeFile(join(directory, "package.json"), '{"type":"module"}\n');
    await execa("chmod", ["-R", "a+rX,go-w", directory]);
  }

  async #install(name: string, origin: string, place: string): Promise<void> {
    const packed = join(this.directory, "packed");
    // Its scripts put files into the folder and take them away: another test may pack it too.
    const pack = [join(origin, "package.json"), "pnpm", "pack", "--pack-destination", packed];
    await execa("flock", pack, { cwd: origin, preferLocal: true, localDir: WORKSPACE });
    const [, short = name] = name.split("/");
    const tarball = (await readdir(packed)).find((file) => file.includes(`-${short}-`));
    if (tarball === undefined) throw new Error(`expected a tarball of ${name} in ${packed}`);
    await mkdir(place, { recursive: true });
    await execa("tar", ["-xzf", join(packed, tarball), "--strip-components=1", "-C", place]);
  }
}

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly publishConfig?: { readonly cpu?: readonly string[] };
}

/** Every package of the workspace that is published for this processor, and its folder. */
async function publishedPackages(): Promise<Array<{ name: string; origin: string }>> {
  const packages = await Promise.all(
    globSync("{packages,apps}/*/package.json", { cwd: WORKSPACE }).map(async (path) => {
      const text = await readFile(join(WORKSPACE, path), "utf8");
      const manifest: Manifest = JSON.parse(text);
      return { origin: join(WORKSPACE, dirname(path)), manifest };
    }),
  );
  return packages
    .filter(({ manifest }) => manifest.private !== true && isForHere(manifest))
    .map(({ origin, manifest }) => ({ name: manifest.name, origin }));
}

function isForHere({ publishConfig }: Manifest): boolean {
  return publishConfig?.cpu?.includes(process.arch) ?? true;
}
