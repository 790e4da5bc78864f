import { AgentOsError, type SidecarDescription, type SidecarInfo } from "@agentos/protocol";

import type { SidecarCore } from "./sidecar-core.ts";

const cores = new WeakMap<object, SidecarCore>();
const handles = new WeakMap<SidecarCore, AgentOsSidecar>();

/** The handle on one sidecar: the process, perhaps shared with other programs, that hosts VMs. */
export class AgentOsSidecar implements AsyncDisposable {
  constructor(core: SidecarCore) {
    cores.set(this, core);
    handles.set(core, this);
  }

  /** A copy of what the handle knows, without asking the sidecar. */
  describe(): SidecarDescription {
    return sidecarCore(this).describe();
  }

  /** What the sidecar is and hosts, from itself. Starts it where none is alive. */
  async info(): Promise<SidecarInfo> {
    return await sidecarCore(this).ask("sidecar.info", {});
  }

  /** The same where one is alive; undefined where none is, and none is started. */
  async find(): Promise<SidecarInfo | undefined> {
    return await sidecarCore(this).useAlive((connection) => connection.request("sidecar.info", {}));
  }

  /** True: the sidecar stays without VMs, started where none is alive. False: it may end itself again. */
  async keep(keep: boolean): Promise<void> {
    await sidecarCore(this).ask("sidecar.keep", { keep });
  }

  /** Ends the sidecar and every VM in it, whoever leased them; the handle stays ready. False: none was alive. */
  async shutdown(): Promise<boolean> {
    return await sidecarCore(this).shutdown();
  }

  /** Gives back every VM leased through this handle. An explicit sidecar's process ends; a shared one's once nobody uses it. Rejects with the joined errors of the VMs that could not be given back. */
  async dispose(): Promise<void> {
    await sidecarCore(this).dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** The one handle of a core. */
export function sidecarHandle(core: SidecarCore): AgentOsSidecar {
  return handles.get(core) ?? new AgentOsSidecar(core);
}

/** What is behind a handle. Throws `INVALID_ARGUMENT` for anything else. */
export function sidecarCore(handle: unknown): SidecarCore {
  const core = typeof handle === "object" && handle !== null ? cores.get(handle) : undefined;
  if (core !== undefined) return core;
  throw new AgentOsError("INVALID_ARGUMENT", "Unknown Agent OS sidecar handle", {
    argument: "sidecar",
    expected: "a handle from AgentOs.getSharedSidecar or AgentOs.createSidecar",
    actual: handle === null ? "null" : typeof handle,
  });
}
