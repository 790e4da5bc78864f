import { constants } from "node:os";

import type { FrameSink, ProcessRequest, VmProcess, VmProcessExit } from "@agentos/core";
import { AgentOsError, type Signal, type SignalScope } from "@agentos/protocol";

import { u32 } from "../link/fields.ts";
import type { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import { PayloadReader } from "../link/payload-reader.ts";
import { readProcessExit } from "../link/process-exit.ts";
import { Stream } from "../link/stream.ts";
import { StreamCredit } from "../link/stream-credit.ts";
import { encodeExec, execError } from "./exec-request.ts";

const SCOPES: Readonly<Record<SignalScope, number>> = { process: 0, group: 1, session: 2 };

/** A process that PID 1 started, and the stream that it talks on. */
export class LinuxProcess implements VmProcess {
  readonly processId: string;
  readonly exited: Promise<VmProcessExit>;
  readonly #link: Link;
  readonly #stream: Stream;
  readonly #exited = Promise.withResolvers<VmProcessExit>();
  #pid = 0;
  #hasExited = false;
  #onReleased: (() => void) | undefined;

  private constructor(link: Link, request: ProcessRequest, sink: FrameSink) {
    this.processId = request.processId;
    this.#link = link;
    this.exited = this.#exited.promise;
    // Nobody may be waiting when the VM ends; whoever asks later still gets the rejection.
    this.exited.catch(() => {});
    const credit = new StreamCredit({
      windowBytes: request.windowBytes,
      stdinWindowBytes: request.windowBytes,
      gaps: false,
    });
    this.#stream = new Stream(link, sink, credit, {
      opening: LINK_KIND.started,
      other: (kind, frame) => this.#exit(kind, frame),
      // It ended before the signal came: that is no fault of the stream.
      failed: (failure) => failure.step === "signal",
      closed: (reason) => {
        this.#exited.reject(reason ?? released(request.processId));
        this.#onReleased?.();
      },
    });
  }

  /** Starts it. Rejects as `VmHandle.startProcess` says, and then nothing of it runs. */
  static async start(link: Link, request: ProcessRequest, sink: FrameSink): Promise<LinuxProcess> {
    const payload = encodeExec(request);
    const started = new LinuxProcess(link, request, sink);
    const stream = started.#stream;
    const reply = await stream.open(LINK_KIND.exec, payload, "process.start");
    if (!reply.ok) throw execError(request, reply.failure);
    started.#pid = new PayloadReader(reply.payload).u32();
    return started;
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

  send(frame: Uint8Array): void {
    this.#stream.send(frame);
  }

  close(): void {
    this.#stream.close();
  }

  signal(signal: Signal, scope: SignalScope): void {
    const payload = Buffer.concat([u32(constants.signals[signal]), Uint8Array.of(SCOPES[scope])]);
    this.#link.send(LINK_KIND.signal, this.#stream.number, payload);
  }

  #exit(kind: number, frame: Uint8Array): boolean {
    if (kind !== LINK_KIND.exit) return false;
    // A second one, after an adoption, changes nothing.
    this.#exited.resolve(readProcessExit(frame));
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
