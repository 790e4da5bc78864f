import type {
  AdoptedAttachment,
  AttachmentRequest,
  FrameSink,
  FrameSource,
  VmAttachment,
} from "@agentos/core";
import {
  AgentOsError,
  DEFAULTS,
  FRAME_MAX_PAYLOAD_BYTES,
  type TerminalSize,
} from "@agentos/protocol";

import { AttachableSink } from "../link/attachable-sink.ts";
import type { Failure } from "../link/failure.ts";
import { u32, u64, u8 } from "../link/fields.ts";
import type { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import { PayloadReader } from "../link/payload-reader.ts";
import { Stream } from "../link/stream.ts";
import { StreamCredit } from "../link/stream-credit.ts";
import type { TableEntry } from "../link/table-entry.ts";
import { STDIN_PIPE } from "./exec-request.ts";

const HOLDS = 1;
const MAX_READERS = 256;

interface Attached {
  attachment: LinuxAttachment;
  end: number;
  size: TerminalSize;
}

/** One reader or writer of a terminal, and the stream that it talks on. */
export class LinuxAttachment implements VmAttachment, FrameSource {
  readonly #stream: Stream;
  readonly #attachmentId: string;

  private constructor(stream: Stream, attachmentId: string) {
    this.#stream = stream;
    this.#attachmentId = attachmentId;
  }

  /** `process`: the terminal's stream. Rejects as `VmTerminals.attach` says. */
  static async open(
    link: Link,
    process: number,
    request: AttachmentRequest,
    sink: FrameSink,
  ): Promise<Attached> {
    const { processId, attachmentId, mode, from } = request;
    const windowBytes = mode === "write" ? 0 : DEFAULTS.terminalWindowBytes;
    const stdinWindowBytes = mode === "write" ? DEFAULTS.streamWindowBytes : 0;
    const credit = new StreamCredit({
      windowBytes,
      stdinWindowBytes,
      gaps: true,
      from: { stdout: from, stderr: 0 },
    });
    const stream = new Stream(link, sink, credit, { opening: LINK_KIND.attached });
    const numbers = [u32(process), u64(from), u32(windowBytes), u32(stdinWindowBytes)];
    const flags = u8(mode === "read" ? HOLDS : 0);
    const payload = Buffer.concat([...numbers, flags, Buffer.from(attachmentId)]);
    const reply = await stream.open(LINK_KIND.attach, payload, "terminal.attach");
    if (!reply.ok) throw attachError(processId, reply.failure);
    const reader = new PayloadReader(reply.payload);
    // Where the output begins: the frames tell.
    reader.u64();
    const end = reader.u64();
    const size = { cols: reader.u16(), rows: reader.u16() };
    return { attachment: new LinuxAttachment(stream, attachmentId), end, size };
  }

  /** One of the VM's table. Nothing is sent before `resume`. */
  static adopt(link: Link, entry: TableEntry, processId: string): AdoptedAttachment {
    const { processId: attachmentId, flags, stdout, stdinReceived, stream: number } = entry;
    const sink = new AttachableSink();
    const credit = new StreamCredit({
      windowBytes: FRAME_MAX_PAYLOAD_BYTES,
      stdinWindowBytes: FRAME_MAX_PAYLOAD_BYTES,
      gaps: true,
      from: { stdout: stdout.acknowledged, stderr: 0 },
      ...((flags & STDIN_PIPE) === 0 ? {} : { stdinReceived }),
    });
    const stream = new Stream(link, sink, credit, { adopted: number });
    return {
      attachmentId,
      processId,
      attachment: new LinuxAttachment(stream, attachmentId),
      attach: (target) => sink.attach(target),
    };
  }

  async resume(received: number): Promise<void> {
    const failure = await this.#stream.resume({ stdout: received, stderr: 0 });
    if (failure === undefined) return;
    const expected = "an offset that was produced";
    throw new AgentOsError(
      "INVALID_ARGUMENT",
      `received of attachment ${this.#attachmentId}: expected ${expected}, got ${received}`,
      { argument: "received", expected, actual: String(received) },
    );
  }

  send(frame: Uint8Array): void {
    this.#stream.send(frame);
  }

  close(): void {
    this.#stream.close();
  }
}

function attachError(id: string, { errno, step }: Failure): AgentOsError {
  if (errno.name === "EAGAIN") {
    const limit = "readers of terminals and logs";
    return new AgentOsError("POOL_EXHAUSTED", `the VM has ${MAX_READERS} ${limit}`, {
      limit,
      capacity: MAX_READERS,
      waiting: 0,
    });
  }
  if (errno.name === "ERANGE") {
    const expected = "an offset that was produced";
    return new AgentOsError("INVALID_ARGUMENT", `from: expected ${expected}`, {
      argument: "from",
      expected,
      actual: "one beyond",
    });
  }
  if (errno.name === "ENOTTY") {
    return new AgentOsError("NOT_FOUND", `process ${id} has no terminal`, { kind: "terminal", id });
  }
  return new AgentOsError("INTERNAL", `the VM could not attach to the terminal: ${errno.name}`, {
    reason: `${step}: ${errno.name}`,
  });
}
