import type { FrameSink, ProcessRequest, VmProcess, VmProcessExit } from "@agentos/core";
import {
  AgentOsError,
  CHANNEL,
  decodeFrame,
  encodeFrame,
  FRAME_KIND,
  type Signal,
} from "@agentos/protocol";

const PART_BYTES = 7;

/** One channel: every byte is kept, as vmd keeps what is not acknowledged. */
class Channel {
  bytes = Buffer.alloc(0);
  acknowledged = 0;
  sent = 0;
}

/** A process in a VM that outlives its sidecar; the test says what it writes and how it ends. */
export class OutlivingProcess {
  readonly request: ProcessRequest;
  readonly signals: { signal: Signal; scope: string }[] = [];
  readonly stdout = new Channel();
  readonly stderr = new Channel();
  stdin = "";
  exit: VmProcessExit | undefined;
  isReleased = false;
  #reader: { sink: FrameSink; exited: (exit: VmProcessExit) => void } | undefined;
  #isSending = true;

  constructor(request: ProcessRequest) {
    this.request = request;
  }

  write(text: string): void {
    this.stdout.bytes = Buffer.concat([this.stdout.bytes, Buffer.from(text)]);
    this.#pump();
  }

  end(how: Partial<VmProcessExit> = {}): void {
    this.exit = {
      exitCode: 0,
      signal: null,
      timedOut: false,
      stdoutBytes: this.stdout.bytes.byteLength,
      stderrBytes: this.stderr.bytes.byteLength,
      stdoutOpen: false,
      stderrOpen: false,
      durationMs: 1,
      ...how,
    };
    if (this.#isSending) this.#reader?.exited(this.exit);
  }

  /** Its sidecar is lost. */
  abandon(): void {
    this.#reader = undefined;
    this.#isSending = false;
  }

  /** What a driver's life has of it. */
  handle(sink: FrameSink): VmProcess & { attach(next: FrameSink): void } {
    const exited = Promise.withResolvers<VmProcessExit>();
    exited.promise.catch(() => undefined);
    const reader = { sink, exited: exited.resolve };
    this.#reader = reader;
    return {
      pid: 42,
      exited: exited.promise,
      attach: (next) => void (reader.sink = next),
      send: (frame) => this.#receive(frame),
      close: () => void (this.isReleased = true),
      signal: (signal, scope) => {
        this.signals.push({ signal, scope });
        if (signal === "SIGKILL" && this.exit === undefined)
          this.end({ exitCode: null, signal: "SIGKILL" });
      },
      resume: async (received) => this.#resume(received),
    };
  }

  #resume(received: { stdout: number; stderr: number }): void {
    for (const channel of ["stdout", "stderr"] as const) {
      const { acknowledged, bytes } = this[channel];
      const offset = received[channel];
      if (offset < acknowledged || offset > bytes.byteLength) throw outOfRange(offset);
      this[channel].acknowledged = offset;
      this[channel].sent = offset;
    }
    this.#isSending = true;
    this.#pump();
    if (this.exit !== undefined) this.#reader?.exited(this.exit);
  }

  #pump(): void {
    if (!this.#isSending) return;
    const channels = [
      [this.stdout, FRAME_KIND.out],
      [this.stderr, FRAME_KIND.err],
    ] as const;
    for (const [channel, kind] of channels) {
      const end = Math.min(
        channel.bytes.byteLength,
        channel.acknowledged + this.request.windowBytes,
      );
      while (channel.sent < end) {
        const part = channel.bytes.subarray(channel.sent, Math.min(end, channel.sent + PART_BYTES));
        this.#reader?.sink.frame(encodeFrame(kind, 0, channel.sent, part));
        channel.sent += part.byteLength;
      }
    }
  }

  #receive(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) throw new Error("not a frame");
    if (frame.kind === FRAME_KIND.dataIn) {
      const fresh = frame.payload.subarray(Math.max(0, this.stdin.length - frame.offset));
      this.stdin += Buffer.from(fresh).toString("latin1");
    } else if (frame.kind === FRAME_KIND.ack) {
      const channel = frame.payload[0] === CHANNEL.stderr ? this.stderr : this.stdout;
      channel.acknowledged = Math.max(channel.acknowledged, frame.offset);
      this.#pump();
    }
  }
}

function outOfRange(offset: number): AgentOsError {
  return new AgentOsError("INVALID_ARGUMENT", "received: out of range", {
    argument: "received",
    expected: "what is held",
    actual: String(offset),
  });
}
