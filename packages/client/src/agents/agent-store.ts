import {
  access,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { arch } from "node:os";
import { join } from "node:path";

import {
  AGENT_MANIFEST,
  AGENT_PROGRAMS,
  AgentManifest,
  AgentOsError,
  type AgentProgram,
  isAgentProgram,
} from "@agentos/protocol";

import { makeWithParents, stateDirectory } from "../sidecar/runtime-directory.ts";
import { type AgentRef, parseAgentRef } from "./agent-ref.ts";
import { type InstalledPackage, installFailed, npmInstall } from "./npm-install.ts";

const STAGING = ".staging-";
/** What a killed install left is cleared away by a later one. */
const STALE_STAGING_MS = 60 * 60 * 1000;
const MACHINES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

export interface AgentStoreOptions {
  /** The same as of the sidecar. Default: AGENTOS_STATE_DIR, else XDG_STATE_HOME/agentos, else ~/.local/state/agentos. */
  readonly stateDirectory?: string | undefined;
}

/** An agent that AgentOS knows, and which of its versions are installed. */
export interface AgentListing {
  readonly agent: string;
  readonly package: string;
  readonly command: string;
  /** What `install` takes without a version. */
  readonly defaultVersion: string;
  readonly installed: readonly AgentManifest[];
}

/**
 * The agents' programs of this user: a folder for each version, from the npm registry. VMs see it read-only,
 * those that run already too.
 */
export class AgentStore {
  readonly directory: string;

  constructor(options: AgentStoreOptions = {}) {
    this.directory = agentsDirectory(options.stateDirectory);
  }

  /** Every agent that can be installed. */
  async list(): Promise<AgentListing[]> {
    return await Promise.all(
      Object.entries(AGENT_PROGRAMS).map(async ([agent, program]) => ({
        agent,
        package: program.package,
        command: program.command,
        defaultVersion: program.version,
        installed: await this.#versions(agent),
      })),
    );
  }

  /**
   * Installs `claude-code` or `claude-code@2.1.329`; a version that is there already is left as it is. Until
   * it is complete nobody sees it. Rejects with `INSTALL_FAILED`, `INVALID_ARGUMENT` or `CANCELLED`.
   */
  async install(name: string, options: { signal?: AbortSignal } = {}): Promise<AgentManifest> {
    const ref = parseAgentRef(name);
    const wanted = ref.version ?? ref.program.version;
    const there = await readManifest(join(this.directory, ref.agent, wanted));
    if (there !== undefined) return there;
    await makeWithParents(this.directory);
    await chmod(this.directory, 0o755);
    await this.#clearStale();
    const staging = await mkdtemp(join(this.directory, STAGING));
    try {
      const made = await npmInstall(staging, {
        name: ref.program.package,
        version: wanted,
        signal: options.signal,
      });
      const manifest = await complete(staging, ref, made);
      return await this.#publish(staging, manifest);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }

  /** Removes one version, or all of them; answers what was removed. Sessions that use one lose its program. */
  async remove(name: string): Promise<AgentManifest[]> {
    const { agent, version } = parseAgentRef(name);
    const found = (await this.#versions(agent)).filter((each) => {
      return version === undefined || each.version === version;
    });
    if (found.length === 0) {
      const message = `${name} is not installed`;
      throw new AgentOsError("NOT_FOUND", message, { kind: "agent program", id: name });
    }
    for (const each of found) {
      const staging = join(this.directory, `${STAGING}${agent}-${each.version}-${process.pid}`);
      // oxlint-disable-next-line no-await-in-loop -- Gone at once for who looks, then its files.
      await rename(join(this.directory, agent, each.version), staging);
      // oxlint-disable-next-line no-await-in-loop
      await rm(staging, { recursive: true, force: true });
    }
    return found;
  }

  async #versions(agent: string): Promise<AgentManifest[]> {
    const folder = join(this.directory, agent);
    const names = await readdir(folder).catch(nothingThere);
    const found = await Promise.all(names.map((name) => readManifest(join(folder, name))));
    return found
      .filter((each) => each !== undefined)
      .toSorted((a, b) => a.version.localeCompare(b.version, "en", { numeric: true }));
  }

  /** Another install of the same version may have been first: then that one is it. */
  async #publish(staging: string, manifest: AgentManifest): Promise<AgentManifest> {
    const folder = join(this.directory, manifest.agent);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const target = join(folder, manifest.version);
    try {
      await rename(staging, target);
      return manifest;
    } catch (error) {
      const there = await readManifest(target);
      if (there !== undefined) return there;
      throw error;
    }
  }

  async #clearStale(): Promise<void> {
    const names = await readdir(this.directory);
    const old = names.filter((name) => name.startsWith(STAGING));
    await Promise.all(
      old.map(async (name) => {
        const path = join(this.directory, name);
        const found = await stat(path).catch(() => undefined);
        if (found === undefined || Date.now() - found.mtimeMs < STALE_STAGING_MS) return;
        await rm(path, { recursive: true, force: true });
      }),
    );
  }
}

/** Where a user's agents are; the sidecar mounts it into VMs. */
export function agentsDirectory(stateDirectoryOption?: string): string {
  return join(stateDirectory(stateDirectoryOption), "agents");
}

/** What the files are is decided here, once, and written down last. */
async function complete(
  staging: string,
  { agent, program }: AgentRef,
  { version, integrity }: InstalledPackage,
): Promise<AgentManifest> {
  const spec = `${program.package}@${version}`;
  if (version === program.version && integrity !== program.integrity) {
    throw installFailed(spec, `expected ${program.integrity}, got ${integrity}`);
  }
  const manifest = {
    agent,
    package: program.package,
    version,
    integrity,
    installedAt: new Date().toISOString(),
    program: await findProgram(staging, program, spec),
    paths: (program.paths ?? []).map(onThisMachine),
  };
  await writeFile(join(staging, AGENT_MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await chmod(staging, 0o755);
  return manifest;
}

async function findProgram(folder: string, program: AgentProgram, spec: string): Promise<string> {
  const candidates = program.programs.map(onThisMachine);
  const found = await Promise.all(
    candidates.map((path) =>
      access(join(folder, path)).then(
        () => true,
        () => false,
      ),
    ),
  );
  const at = found.indexOf(true);
  const path = candidates[at];
  if (path !== undefined) return path;
  throw installFailed(spec, `it has none of ${candidates.join(", ")}`);
}

function onThisMachine(path: string): string {
  return path.replaceAll("{cpu}", arch()).replaceAll("{machine}", MACHINES[arch()] ?? arch());
}

async function readManifest(folder: string): Promise<AgentManifest | undefined> {
  const text = await readFile(join(folder, AGENT_MANIFEST), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const parsed = AgentManifest.safeParse(JSON.parse(text));
    return parsed.success && isAgentProgram(parsed.data.agent) ? parsed.data : undefined;
  } catch {
    // Not written by us: as good as not there.
    return undefined;
  }
}

function nothingThere(error: unknown): string[] {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
  throw error;
}
