import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { AgentOsError } from "@agentos/protocol";

import { FROZEN } from "./branch.ts";
import { errnoOf, readControl, readKey, readProcs, writeControl } from "./control-file.ts";

const FREEZE_MS = 5_000;
const POLL_MS = 5;
/** What looks like PID 1 for longer is no child of it on its way to another program. */
const YOUNG_MS = 200;

/**
 * Stops a VM's processes in a v2 cgroup below the VM's, where SIGKILL still ends them. PID 1 stays
 * outside and answers. (A process that the v1 freezer holds can't be killed: it isn't used.)
 */
export class Freezer {
  readonly #vm: string;
  readonly #frozen: string;

  constructor(directory: string) {
    this.#vm = directory;
    this.#frozen = join(directory, FROZEN);
  }

  /** Rejects with `DEADLINE_EXCEEDED` where not every process stops in time. */
  async set(frozen: boolean): Promise<void> {
    await writeControl(join(this.#frozen, "cgroup.freeze"), frozen ? "1" : "0");
    if (!frozen) return;
    const start = performance.now();
    const isYoung = (): boolean => performance.now() - start < YOUNG_MS;
    // Each round may find what a process forked before it was moved.
    // oxlint-disable-next-line no-await-in-loop
    while (!(await this.#moveAll(isYoung())) || !(await this.#isFrozen())) {
      if (performance.now() - start > FREEZE_MS) throw late();
      // oxlint-disable-next-line no-await-in-loop
      await sleep(POLL_MS);
    }
  }

  /** True when none but PID 1 is left outside. */
  async #moveAll(sparing: boolean): Promise<boolean> {
    const pids = (await readProcs(this.#vm)) ?? [];
    const processes = await Promise.all(pids.map((pid) => look(pid)));
    const init = processes.find((each) => each?.isInit === true);
    let left = 0;
    for (const each of processes) {
      if (each === undefined || each.isInit) continue;
      left += 1;
      // PID 1 waits, itself, until a child that it made with vfork runs its program.
      if (sparing && each.command === init?.command) continue;
      // One file takes them all.
      // oxlint-disable-next-line no-await-in-loop
      await this.#move(each.pid);
    }
    return left === 0;
  }

  async #move(pid: number): Promise<void> {
    try {
      await writeControl(join(this.#frozen, "cgroup.procs"), String(pid));
    } catch (error) {
      // It ended meanwhile.
      if (errnoOf(error) !== "ESRCH") throw error;
    }
  }

  async #isFrozen(): Promise<boolean> {
    return (await readKey(join(this.#frozen, "cgroup.events"), "frozen")) === 1;
  }
}

interface Looked {
  readonly pid: number;
  readonly isInit: boolean;
  readonly command: string | undefined;
}

async function look(pid: number): Promise<Looked | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => undefined);
  if (status === undefined) return undefined;
  const isInit = /^NSpid:.*\t1$/m.test(status);
  return { pid, isInit, command: await readControl(`/proc/${pid}/cmdline`) };
}

function late(): AgentOsError<"DEADLINE_EXCEEDED"> {
  return new AgentOsError(
    "DEADLINE_EXCEEDED",
    `expected every process of the VM to stop within ${FREEZE_MS} ms`,
    { operation: "vm.freeze", deadlineMs: FREEZE_MS },
  );
}
