import { posix } from "node:path";

import type { SessionVm, VmFiles } from "@agentos/core";
import {
  AGENT_MANIFEST,
  AGENT_PROGRAMS,
  AgentManifest,
  AgentOsError,
  type AgentProgramName,
  AGENTS_DIRECTORY,
  installLine,
  isAgentOsError,
  type SessionSpec,
} from "@agentos/protocol";

import { readVmFile } from "../vm/read-vm-file.ts";
import { programVersion } from "./program-version.ts";
import { readVmDirectory } from "./read-vm-directory.ts";
import { compareVersions, isWithin, type VersionRange } from "./version.ts";

const MANIFEST_BYTES = 64 * 1024;

/** An agent's program as it is started in a VM. */
export interface FoundProgram {
  readonly argv: readonly string[];
  readonly version: string;
  /** In front of the VM's PATH. */
  readonly paths: readonly string[];
}

export interface ProgramRequest {
  readonly agent: AgentProgramName;
  readonly spec: Pick<SessionSpec, "command" | "args" | "agentVersion">;
  readonly vm: SessionVm;
  readonly supported: VersionRange;
}

/**
 * The session's own command, or what the VM's store has: the version that was asked for, else the one that this
 * build was tried with, else the newest that is there. Rejects with `AGENT_NOT_INSTALLED` or `AGENT_VERSION`.
 */
export async function findProgram(
  request: ProgramRequest,
  { signal }: { signal: AbortSignal },
): Promise<FoundProgram> {
  const { spec, vm } = request;
  const found =
    spec.command === undefined
      ? await installed(request)
      : {
          argv: [spec.command, ...(spec.args ?? [])],
          version: await programVersion(vm, spec.command, { signal }),
          paths: [],
        };
  assertVersion(request, found.version);
  return found;
}

/** PATH with a program's own folders in front. */
export function pathOf({ paths }: FoundProgram, environment: SessionVm["environment"]): string {
  return [...paths, environment["PATH"] ?? "/usr/bin:/bin"].join(":");
}

async function installed({ agent, spec, vm }: ProgramRequest): Promise<FoundProgram> {
  const { files } = vm.handle();
  const folder = posix.join(AGENTS_DIRECTORY, agent);
  const versions: string[] = await readVmDirectory(files, folder).catch(nothingThere);
  const wanted = spec.agentVersion ?? AGENT_PROGRAMS[agent].version;
  const newest = versions.toSorted(compareVersions).at(-1);
  const isFree = spec.agentVersion === undefined && !versions.includes(wanted);
  const version = isFree ? newest : wanted;
  const manifest = version && (await readManifest(files, posix.join(folder, version)));
  if (!manifest) throw notInstalled(agent, spec.agentVersion, versions);
  const root = posix.join(folder, manifest.version);
  return {
    argv: [posix.join(root, manifest.program), ...(spec.args ?? [])],
    version: manifest.version,
    paths: manifest.paths.map((path) => posix.join(root, path)),
  };
}

async function readManifest(files: VmFiles, folder: string): Promise<AgentManifest | undefined> {
  try {
    const path = posix.join(folder, AGENT_MANIFEST);
    const bytes = await readVmFile(files, path, MANIFEST_BYTES);
    return AgentManifest.safeParse(JSON.parse(bytes.toString())).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    return nothingThere(error)[0];
  }
}

function nothingThere(error: unknown): never[] {
  if (isAgentOsError(error, "FILE_SYSTEM")) return [];
  throw error;
}

function assertVersion({ agent, supported }: ProgramRequest, version: string): void {
  if (isWithin(version, supported)) return;
  const expected = `${supported.from} or newer, below ${supported.below}`;
  const install = installLine(agent);
  const message = `the agent ${agent}: expected version ${expected}, got ${version}: ${install}`;
  throw new AgentOsError("AGENT_VERSION", message, { agent, version, expected, install });
}

function notInstalled(
  agent: AgentProgramName,
  version: string | undefined,
  there: readonly string[],
): AgentOsError<"AGENT_NOT_INSTALLED"> {
  const install = installLine(agent, version);
  const which = version === undefined ? agent : `${agent} ${version}`;
  const others = there.length === 0 ? "" : ` (there are ${there.join(", ")})`;
  const message = `the agent ${which} is not installed${others}: ${install}`;
  return new AgentOsError("AGENT_NOT_INSTALLED", message, { agent, install });
}
