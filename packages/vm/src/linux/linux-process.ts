import { constants } from "node:os";

import type {
  AdoptedProcess,
  FrameSink,
  ProcessRequest,
  VmProcess,
  VmProcessExit,
} from "@agentos/core";
import {
  AgentOsError,
  FRAME_MAX_PAYLOAD_BYTES,
  type Signal,
  type SignalScope,
} from "@agentos/protocol";

import { AttachableSink } from "../link/attachable-sink.ts";
import { u32 } from "../link/fields.ts";
import type { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import { PayloadReader } from "../link/payload-reader.ts";
import { readProcessExit } from "../link/process-exit.ts";
import { type Received, Stream } from "../link/stream.ts";
import { StreamCredit } from "../link/stream-credit.ts";
import type { TableEntry } from "../link/table-entry.ts";
import { encodeExec, execError, LOGGED, STDIN_PIPE, TERMINAL } from "./exec-request.ts";

const SCOPES: Readonly<Record<SignalScope, number>> = { process: 0, group: 1, session: 2 };

interface ProcessStream {
  readonly processId: string;
  readonly sink: FrameSink;
  readonly credit: StreamCredit;
  /** Of a process that an earlier sidecar started: its stream. */
  readonly adopted?: number;
  /** Says more of an end, before anybody else hears of it. Must not reject. */
  readonly explain: ExplainExit;
}

/** `killedByUs`: SIGKILL was sent to it through here. */
export type ExplainExit = (
  exit: VmProcessExit,
  facts: { startedMs: number; killedByUs: boolean },
) => VmProcessExit | Promise<VmProcessExit>;

/** A process that PID 1 started, and the stream that it talks on. */
export class LinuxProcess implements VmProcess {
  readonly processId: string;
  readonly exited: Promise<VmProcessExit>;
  readonly #link: Link;
  readonly #stream: Stream;
  readonly #exited = Promise.withResolvers<VmProcessExit>();
  readonly #explain: ExplainExit;
  readonly #startedMs = performance.now();
  #killedByUs = false;
  #pid = 0;
  #hasExited = false;
  #isExplained = false;
  #onReleased: (() => void) | undefined;

  private constructor(link: Link, stream: ProcessStream) {
    const { processId, sink, credit, adopted, explain } = stream;
    this.processId = processId;
    this.#explain = explain;
    this.#link = link;
    this.exited = this.#exited.promise;
    // Nobody may be waiting when the VM ends; whoever asks later still gets the rejection.
    this.exited.catch(() => {});
    this.#stream = new Stream(link, sink, credit, {
      ...(adopted === undefined ? { opening: LINK_KIND.started } : { adopted }),
      other: (kind, frame) => this.#exit(kind, frame),
      // It ended before the signal came: that is no fault of the stream.
      failed: (failure) => failure.step === "signal",
      closed: (reason) => {
        if (!this.#isExplained) this.#exited.reject(reason ?? released(processId));
        this.#onReleased?.();
      },
    });
  }

  /** Starts it. Rejects as `VmHandle.startProcess` says, and then nothing of it runs. */
  static async start(
    link: Link,
    request: ProcessRequest,
    sink: FrameSink,
    explain: ExplainExit,
  ): Promise<LinuxProcess> {
    const payload = encodeExec(request);
    const { processId, windowBytes } = request;
    const credit = new StreamCredit({ windowBytes, stdinWindowBytes: windowBytes, gaps: false });
    const started = new LinuxProcess(link, { processId, sink, credit, explain });
    const stream = started.#stream;
    const reply = await stream.open(LINK_KIND.exec, payload, "process.start");
    if (!reply.ok) throw execError(request, reply.failure);
    started.#pid = new PayloadReader(reply.payload).u32();
    return started;
  }

  /** A process of the VM's table. Nothing of it is sent before `resume`. */
  static adopt(
    link: Link,
    entry: TableEntry,
    explain: ExplainExit,
  ): AdoptedProcess & { process: LinuxProcess } {
    const { processId, flags, stdout, stderr, stdinReceived, stream, terminal } = entry;
    const sink = new AttachableSink();
    // Its windows are not in the table: vmd holds it to them, and no frame is larger than this.
    const credit = new StreamCredit({
      windowBytes: FRAME_MAX_PAYLOAD_BYTES,
      stdinWindowBytes: FRAME_MAX_PAYLOAD_BYTES,
      gaps: false,
      from: { stdout: stdout.acknowledged, stderr: stderr.acknowledged },
      ...((flags & STDIN_PIPE) === 0 ? {} : { stdinReceived }),
    });
    const process = new LinuxProcess(link, { processId, sink, credit, explain, adopted: stream });
    process.#pid = entry.pid;
    process.#hasExited = entry.state === "exited";
    return {
      processId,
      output: (flags & (LOGGED | TERMINAL)) === 0 ? "piped" : "logged",
      state: entry.state,
      ...(terminal === undefined ? {} : { terminal }),
      acknowledged: { stdout: stdout.acknowledged, stderr: stderr.acknowledged },
      ...((flags & STDIN_PIPE) === 0 ? {} : { stdinReceived }),
      process,
      attach: (target) => sink.attach(target),
    };
  }

  get pid(): number {
    return this.#pid;
  }

  /** Its pid may be another's by now. */
  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** The stream's number on the link, which READ_LOG names the process by. */
  get stream(): number {
    return this.#stream.number;
  }

  /** Called once, when the VM holds nothing of it any more. */
  onReleased(callback: () => void): void {
    this.#onReleased = callback;
  }

  async resume(received: Received): Promise<void> {
    const failure = await this.#stream.resume(received);
    if (failure === undefined) return;
    const { stdout, stderr } = received;
    const expected = "offsets that were produced and not acknowledged beyond";
    const actual = `stdout ${stdout}, stderr ${stderr}`;
    throw new AgentOsError(
      "INVALID_ARGUMENT",
      `received of process ${this.processId}: expected ${expected}, got ${actual}`,
      { argument: "received", expected, actual },
    );
  }

  send(frame: Uint8Array): void {
    this.#stream.send(frame);
  }

  close(): void {
    this.#stream.close();
  }

  signal(signal: Signal, scope: SignalScope): void {
    this.#killedByUs ||= signal === "SIGKILL";
    const payload = Buffer.concat([u32(constants.signals[signal]), Uint8Array.of(SCOPES[scope])]);
    this.#link.send(LINK_KIND.signal, this.#stream.number, payload);
  }

  #exit(kind: number, frame: Uint8Array): boolean {
    if (kind !== LINK_KIND.exit) return false;
    // A second one, after an adoption, changes nothing.
    const exit = readProcessExit(frame);
    if (!this.#isExplained) {
      this.#isExplained = true;
      const facts = { startedMs: this.#startedMs, killedByUs: this.#killedByUs };
      this.#exited.resolve(this.#explain(exit, facts));
    }
    this.#hasExited = true;
    return true;
  }
}

function released(id: string): AgentOsError<"DISPOSED"> {
  return new AgentOsError("DISPOSED", `process ${id} was released before it ended`, {
    kind: "process",
    id,
  });
}
