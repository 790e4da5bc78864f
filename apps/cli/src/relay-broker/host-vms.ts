import { stat } from "node:fs/promises";

import { AgentOs, type AgentOsSidecar } from "@agentos/client";

import { V1Error } from "./v1-error.ts";

export interface HostVmsOptions {
  readonly sidecar: AgentOsSidecar;
  /** Copies directories instead of mounting them. */
  readonly copy: boolean;
  readonly driver: string | undefined;
}

/** A VM for each directory of the host that agents work in, at the same path. */
export class HostVms {
  readonly #options: HostVmsOptions;
  readonly #byDirectory = new Map<string, Promise<AgentOs>>();

  constructor(options: HostVmsOptions) {
    this.#options = options;
  }

  /** The one of that directory. Rejects with `spawn_failed` where it can't be had. */
  async of(directory: string): Promise<AgentOs> {
    const known = this.#byDirectory.get(directory);
    if (known !== undefined) return await known;
    const made = this.#make(directory);
    this.#byDirectory.set(directory, made);
    made.catch(() => this.#byDirectory.delete(directory));
    return await made;
  }

  /** Any of them. */
  async any(directory: string): Promise<AgentOs> {
    const [first] = this.#byDirectory.values();
    return await (first ?? this.of(directory));
  }

  /** Ends them all, whatever runs in them. */
  async end(): Promise<void> {
    const made = await Promise.allSettled(this.#byDirectory.values());
    const vms = made.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    await Promise.allSettled(vms.map((os) => os.end()));
  }

  async #make(directory: string): Promise<AgentOs> {
    const { sidecar, copy, driver } = this.#options;
    const owner = await ownerOf(directory);
    const mount = {
      kind: "host" as const,
      source: directory,
      target: directory,
      readOnly: false,
      mapOwner: owner === 0 && process.getuid?.() === 0,
    };
    const os = await AgentOs.create({
      sidecar,
      mounts: copy ? [] : [mount],
      ...(driver === undefined ? {} : { driver }),
    });
    if (copy) {
      await os.fs.mkdir(directory, { recursive: true });
      await os.fs.upload(directory, directory);
    }
    return os;
  }
}

async function ownerOf(directory: string): Promise<number> {
  try {
    const facts = await stat(directory);
    if (facts.isDirectory()) return facts.uid;
    throw new V1Error("spawn_failed", `${directory} is no directory`);
  } catch (error) {
    if (error instanceof V1Error) throw error;
    throw new V1Error("spawn_failed", `there is no directory ${directory}`);
  }
}
