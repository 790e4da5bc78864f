import type {
  ImageInfo,
  MethodName,
  MethodParams,
  MethodResult,
  RequestOptions,
  SessionInfo,
  SessionSummary,
  SnapshotInfo,
  TerminalInfo,
  VmInfo,
} from "@agentos/protocol";

import { parseSidecarChoice, type SidecarChoice } from "../options.ts";
import { PoolWorkflows } from "../workflows/pool-workflows.ts";
import { chosenSidecar } from "./chosen-sidecar.ts";

/** What a user has on a sidecar, asked for without holding a VM. */
// oxlint-disable-next-line typescript/no-extraneous-class -- The static side of AgentOs, which extends it.
export abstract class UserHoldings {
  /**
   * Ends a VM for good by name or id, its files too, whoever holds it. False: it had ended before. Rejects with
   * `NOT_FOUND` where there never was one.
   */
  static async end(nameOrVmId: string, options: SidecarChoice = {}): Promise<boolean> {
    return (await ask(options, "vm.end", { vm: nameOrVmId })).ended;
  }

  /** The user's VMs on a sidecar. None is started where none is alive, unless one was killed: the next one takes over what it left. */
  static async list(options: SidecarChoice = {}): Promise<VmInfo[]> {
    const { pool, sidecar } = parseSidecarChoice(options);
    if (!(await chosenSidecar(pool, sidecar).mayHaveVms())) return [];
    return (await ask(options, "vm.list", {})).vms;
  }

  /** The user's sessions on a sidecar, closed ones included, without holding a VM. */
  static async listSessions(options: SidecarChoice = {}): Promise<SessionSummary[]> {
    return (await ask(options, "session.list", {})).sessions;
  }

  /** What one session is, without holding its VM. Rejects with `NOT_FOUND`. */
  static async sessionInfo(sessionId: string, options: SidecarChoice = {}): Promise<SessionInfo> {
    return await ask(options, "session.info", { sessionId });
  }

  /** Ends a session, open or closed, and forgets it. Rejects with `NOT_FOUND`. */
  static async deleteSession(sessionId: string, options: SidecarChoice = {}): Promise<void> {
    await ask(options, "session.delete", { sessionId });
  }

  /**
   * Takes a root filesystem under a name, for `create({ image })`: a directory of the sidecar's machine, which is used as
   * it is and must stay, or an archive of `docker save` or an OCI layout, which is unpacked. Rejects with
   * `IMAGE_REFUSED` or `ALREADY_EXISTS`.
   */
  static async addImage(
    name: string,
    path: string,
    options: SidecarChoice = {},
  ): Promise<ImageInfo> {
    return await ask(options, "image.add", { name, path }, { deadlineMs: null });
  }

  /** The images that VMs can begin with, the host's included. */
  static async images(options: SidecarChoice = {}): Promise<ImageInfo[]> {
    return (await ask(options, "image.list", {})).images;
  }

  /** Forgets an image, and removes what was unpacked. Rejects with `NOT_FOUND`, and `IN_USE` while something stands on it. */
  static async removeImage(name: string, options: SidecarChoice = {}): Promise<void> {
    await ask(options, "image.remove", { name });
  }

  /** The user's snapshots on a sidecar. */
  static async snapshots(options: SidecarChoice = {}): Promise<SnapshotInfo[]> {
    return (await ask(options, "snapshot.list", {})).snapshots;
  }

  /** Removes a snapshot by name or id. Rejects with `NOT_FOUND`, and `IN_USE` while a VM that began with it lives. */
  static async removeSnapshot(nameOrId: string, options: SidecarChoice = {}): Promise<void> {
    await ask(options, "snapshot.remove", { snapshot: nameOrId });
  }

  /** The user's workflow runs on a sidecar, without holding a VM. */
  static workflows(options: SidecarChoice = {}): PoolWorkflows {
    const { pool, sidecar, signal } = parseSidecarChoice(options);
    return new PoolWorkflows(chosenSidecar(pool, sidecar), signal);
  }

  /** The terminals of the user's VMs on a sidecar. */
  static async terminals(options: SidecarChoice = {}): Promise<TerminalInfo[]> {
    return (await ask(options, "terminal.list", {})).terminals;
  }
}

async function ask<M extends MethodName>(
  choice: SidecarChoice,
  method: M,
  params: MethodParams<M>,
  options: RequestOptions = {},
): Promise<MethodResult<M>> {
  const { pool, sidecar, signal } = parseSidecarChoice(choice);
  return await chosenSidecar(pool, sidecar).ask(method, params, { ...options, signal });
}
