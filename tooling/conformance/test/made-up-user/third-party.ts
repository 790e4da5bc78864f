import { constants, cp, mkdir, readdir, readFile, realpath, symlink } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";

const STORE = "/node_modules/.pnpm/";

/**
 * Copies of third-party packages of this workspace, laid out as pnpm does: each sees what it declares
 * and nothing else. Neither the network nor a package store is needed.
 */
export class ThirdParty {
  readonly #target: string;
  readonly #entries = new Map<string, Promise<void>>();

  /** Packages go below `target`/node_modules. */
  constructor(target: string) {
    this.#target = target;
  }

  /** Puts what `manifest` depends on where the package in `directory` finds it. `origin` is the package's folder in the workspace. */
  async provide(directory: string, manifest: string, origin: string): Promise<void> {
    const names = await dependenciesOf(manifest);
    await Promise.all(
      names.map((name) => this.link(directory, name, join(origin, "node_modules"))),
    );
  }

  /** Makes `directory`/node_modules/`name` mean the package that `modules` has under that name. */
  async link(directory: string, name: string, modules: string): Promise<void> {
    const source = await realpath(join(modules, name));
    const at = source.indexOf(STORE);
    if (at < 0) throw new Error(`expected ${source} to be in pnpm's store of the workspace`);
    const path = join(directory, "node_modules", name);
    const place = join(this.#target, source.slice(at));
    await mkdir(dirname(path), { recursive: true });
    await symlink(relative(dirname(path), place), path);
    await this.#copy(source.slice(0, at + STORE.length), entryOf(source.slice(at + STORE.length)));
  }

  async #copy(store: string, entry: string): Promise<void> {
    const copying = this.#entries.get(entry);
    // Two packages may need one another, so nobody waits for a copy that is under way.
    if (copying !== undefined) return;
    const target = join(this.#target, STORE, entry);
    const started = cp(join(store, entry), target, {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
    });
    this.#entries.set(entry, started);
    await started;
    const modules = join(store, entry, "node_modules");
    const needed = await Promise.all((await packagesIn(modules)).map((name) => realpath(name)));
    await Promise.all(
      needed
        .filter((path) => path.includes(STORE))
        .map((path) => this.#copy(store, entryOf(path.slice(path.indexOf(STORE) + STORE.length)))),
    );
  }
}

/** What a packed package needs to be installed, but for our own. */
async function dependenciesOf(manifest: string): Promise<string[]> {
  const content: { dependencies?: Record<string, string> } = JSON.parse(
    await readFile(manifest, "utf8"),
  );
  return Object.keys(content.dependencies ?? {}).filter((name) => !name.startsWith("@agentos/"));
}

function entryOf(path: string): string {
  return path.split("/")[0] ?? path;
}

async function packagesIn(modules: string): Promise<string[]> {
  const names = (await readdir(modules)).filter((name) => !name.startsWith("."));
  const paths = names.map((name) => join(modules, name));
  const nested = await Promise.all(
    paths.map(async (path) =>
      basename(path).startsWith("@") ? (await readdir(path)).map((name) => join(path, name)) : path,
    ),
  );
  return nested.flat();
}
