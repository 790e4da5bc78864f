import type {
  FrameSink,
  FrameSource,
  ProcessRequest,
  VmEnding,
  VmHandle,
  VmProcess,
} from "@agentos/core";
import { AgentOsError, DEFAULTS, type ProcessInfo } from "@agentos/protocol";

import { u32, u64 } from "../link/fields.ts";
import type { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import { readProcessList } from "../link/process-list.ts";
import { Stream } from "../link/stream.ts";
import { StreamCredit } from "../link/stream-credit.ts";
import { LinuxFiles } from "./linux-files.ts";
import { LinuxProcess } from "./linux-process.ts";
import { LINUX_ISOLATION } from "./probe.ts";

const MAX_TIMER_MS = 2 ** 31 - 1;
const END_MS = 15_000;

/** live -> ending -> ended. */
type VmState = "live" | "ending" | "ended";

export interface LinuxVmOptions {
  link: Link;
  limits: VmHandle["limits"];
  environment: VmHandle["environment"];
  /** Resolves once no process, mount or socket of the VM is left. */
  gone: Promise<void>;
  /** Ends PID 1, whatever it does. */
  kill: () => Promise<void>;
}

/** A live VM of the linux driver. */
export class LinuxVm implements VmHandle {
  readonly vmId: string;
  readonly isolation = LINUX_ISOLATION;
  readonly limits: VmHandle["limits"];
  readonly environment: VmHandle["environment"];
  readonly files: LinuxFiles;
  readonly ended: Promise<VmEnding>;
  readonly #link: Link;
  readonly #kill: () => Promise<void>;
  readonly #ended = Promise.withResolvers<VmEnding>();
  /** By the client's id, until they are released. */
  readonly #processes = new Map<string, LinuxProcess>();
  #state: VmState = "live";
  #ending: VmEnding = { kind: "died" };
  #wallTimer: NodeJS.Timeout | undefined;

  constructor({ link, limits, environment, gone, kill }: LinuxVmOptions) {
    this.vmId = link.vmId;
    this.limits = limits;
    this.environment = environment;
    this.files = new LinuxFiles(link);
    this.ended = this.#ended.promise;
    this.#link = link;
    this.#kill = kill;
    void link.closed.then((error) => this.#lost(error.details.reason));
    void gone.then(() => this.#gone());
    if (limits.wallMs.value !== null) this.#limitWallTime(limits.wallMs.value);
  }

  async startProcess(request: ProcessRequest, sink: FrameSink): Promise<VmProcess> {
    const started = await LinuxProcess.start(this.#link, request, sink);
    const { processId } = started;
    this.#processes.set(processId, started);
    started.onReleased(() => this.#forget(processId, started));
    return started;
  }

  async openLog(
    processId: string,
    from: { stdout: number; stderr: number },
    sink: FrameSink,
  ): Promise<FrameSource> {
    const process = this.#processes.get(processId);
    if (process === undefined) throw unknownProcess(processId);
    const windowBytes = DEFAULTS.streamWindowBytes;
    const credit = new StreamCredit({
      windowBytes,
      stdinWindowBytes: 0,
      gaps: true,
      from: { ...from, stdin: 0 },
    });
    const reader = new Stream(this.#link, sink, credit, {});
    const payload = [u32(process.stream), u64(from.stdout), u64(from.stderr), u32(windowBytes)];
    this.#link.send(LINK_KIND.readLog, reader.number, Buffer.concat(payload));
    return reader;
  }

  async processes(): Promise<{ processes: ProcessInfo[]; truncated: boolean }> {
    const reply = await this.#link.request({
      kind: LINK_KIND.processes,
      answer: LINK_KIND.processList,
      operation: "processes",
    });
    if (!reply.ok) throw refusedRequest("processes", reply.failure.errno.name);
    const list = readProcessList(reply.payload);
    const running = [...this.#processes].filter(([, process]) => !process.hasExited);
    const ids = new Map(running.map(([id, process]) => [process.pid, id]));
    const processes = list.processes.map((info) => {
      const processId = ids.get(info.pid);
      return processId === undefined ? info : { ...info, processId };
    });
    return { processes, truncated: list.truncated };
  }

  async ping(): Promise<void> {
    const reply = await this.#link.request({
      kind: LINK_KIND.ping,
      answer: LINK_KIND.pong,
      operation: "ping",
    });
    if (!reply.ok) throw refusedRequest("ping", reply.failure.errno.name);
  }

  /** Rejects with `DEADLINE_EXCEEDED` where the VM is not gone in time; `ended` goes on waiting. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end({ kind: "ended" });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(notGone(this.vmId)), END_MS);
    try {
      await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the VM unless that is under way. */
  async #end(ending: VmEnding): Promise<void> {
    if (this.#state !== "live") return;
    this.#state = "ending";
    this.#ending = ending;
    this.#link.end(ending.detail ?? (ending.kind === "ended" ? "it was ended" : "it died"));
    await this.#kill();
  }

  #lost(reason: string): void {
    // A failed kill shows in `ended`, which waits for the VM to be gone.
    void this.#end({ kind: "died", detail: reason }).catch(() => {});
  }

  #gone(): void {
    if (this.#state === "ended") return;
    const ending = this.#ending;
    this.#state = "ended";
    clearTimeout(this.#wallTimer);
    this.#link.end("its first process ended");
    this.#processes.clear();
    this.#ended.resolve(ending);
  }

  #limitWallTime(ms: number): void {
    const turn = Math.min(ms, MAX_TIMER_MS);
    this.#wallTimer = setTimeout(() => {
      if (ms > turn) this.#limitWallTime(ms - turn);
      else void this.#end({ kind: "ended", detail: "its wallMs passed" }).catch(() => {});
    }, turn);
    // A VM's time limit is no reason for the sidecar to stay.
    this.#wallTimer.unref();
  }

  #forget(processId: string, process: LinuxProcess): void {
    if (this.#processes.get(processId) === process) this.#processes.delete(processId);
  }
}

function unknownProcess(id: string): AgentOsError<"NOT_FOUND"> {
  return new AgentOsError("NOT_FOUND", `no process ${id} in this VM`, { kind: "process", id });
}

function refusedRequest(operation: string, errno: string): AgentOsError<"INTERNAL"> {
  return new AgentOsError("INTERNAL", `the VM refused ${operation}: ${errno}`, { reason: errno });
}

function notGone(vmId: string): AgentOsError<"DEADLINE_EXCEEDED"> {
  return new AgentOsError(
    "DEADLINE_EXCEEDED",
    `expected VM ${vmId} to be gone within ${END_MS} ms`,
    { operation: "vm.dispose", deadlineMs: END_MS },
  );
}
