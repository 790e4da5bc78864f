import type {
  AdoptedProcess,
  FrameSink,
  LogSource,
  ProcessRequest,
  VmProcess,
} from "@agentos/core";
import { AgentOsError, DEFAULTS, type ProcessInfo } from "@agentos/protocol";

import { u32, u64 } from "../link/fields.ts";
import type { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import { readProcessList } from "../link/process-list.ts";
import { Stream } from "../link/stream.ts";
import { StreamCredit } from "../link/stream-credit.ts";
import type { TableEntry } from "../link/table-entry.ts";
import { TableReader } from "../link/table-reader.ts";
import { refusedRequest } from "./driver-errors.ts";
import type { LimitHits } from "./limit-hits.ts";
import { LinuxProcess } from "./linux-process.ts";

/** The processes of a live VM. */
export class LinuxProcesses {
  readonly #link: Link;
  readonly #hits: LimitHits;
  readonly #table: TableReader;
  /** By the client's id, until they are released. */
  readonly #byId = new Map<string, LinuxProcess>();

  constructor(link: Link, hits: LimitHits) {
    this.#link = link;
    this.#hits = hits;
    this.#table = new TableReader(link);
  }

  /** The number of a process's stream, while it is kept. */
  streamOf(id: string): number | undefined {
    return this.#byId.get(id)?.stream;
  }

  async start(request: ProcessRequest, sink: FrameSink): Promise<VmProcess> {
    try {
      const started = await LinuxProcess.start(this.#link, request, sink, this.#hits.explain);
      this.#keep(started);
      return started;
    } catch (error) {
      this.#hits.startFailed(error);
      throw error;
    }
  }

  /** What an adopted VM's table lists. */
  adopt(entries: readonly TableEntry[]): AdoptedProcess[] {
    return entries.map((entry) => {
      const adopted = LinuxProcess.adopt(this.#link, entry, this.#hits.explain);
      this.#keep(adopted.process);
      return adopted;
    });
  }

  /** Rejects with `NOT_FOUND`. */
  async openLog(
    processId: string,
    from: { stdout: number; stderr: number },
    sink: FrameSink,
  ): Promise<LogSource> {
    const process = this.#byId.get(processId);
    if (process === undefined) throw unknownProcess(processId);
    const table = await this.#table.read();
    const entry = table.find(({ stream }) => stream === process.stream);
    const written = entry && { stdout: entry.stdout.produced, stderr: entry.stderr.produced };
    const windowBytes = DEFAULTS.streamWindowBytes;
    const credit = new StreamCredit({ windowBytes, stdinWindowBytes: 0, gaps: true, from });
    const reader = new Stream(this.#link, sink, credit, {});
    const payload = [u32(process.stream), u64(from.stdout), u64(from.stderr), u32(windowBytes)];
    this.#link.send(LINK_KIND.readLog, reader.number, Buffer.concat(payload));
    return Object.assign(reader, { written });
  }

  /** Everything that runs in the VM. `urgent`: also while the link holds back what begins. */
  async list(urgent: boolean): Promise<{ processes: ProcessInfo[]; truncated: boolean }> {
    const reply = await this.#link.request({
      kind: LINK_KIND.processes,
      answer: LINK_KIND.processList,
      operation: "processes",
      urgent,
    });
    if (!reply.ok) throw refusedRequest("processes", reply.failure.errno.name);
    const list = readProcessList(reply.payload);
    const running = [...this.#byId].filter(([, process]) => !process.hasExited);
    const ids = new Map(running.map(([id, process]) => [process.pid, id]));
    const processes = list.processes.map((info) => {
      const processId = ids.get(info.pid);
      return processId === undefined ? info : { ...info, processId };
    });
    return { processes, truncated: list.truncated };
  }

  /** The VM is gone. */
  clear(): void {
    this.#byId.clear();
  }

  #keep(process: LinuxProcess): void {
    const { processId } = process;
    this.#byId.set(processId, process);
    process.onReleased(() => {
      if (this.#byId.get(processId) === process) this.#byId.delete(processId);
    });
  }
}

function unknownProcess(id: string): AgentOsError<"NOT_FOUND"> {
  return new AgentOsError("NOT_FOUND", `no process ${id} in this VM`, { kind: "process", id });
}
