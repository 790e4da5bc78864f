import type { TerminalSize } from "@agentos/protocol";

import type { FrameSink, FrameSource } from "./frame-sink.ts";

/** What makes a process one on a terminal. */
export interface TerminalOptions extends TerminalSize {
  /** Of its output, the last ones kept for whoever attaches later. */
  scrollbackBytes: number;
}

export interface AttachmentRequest {
  processId: string;
  attachmentId: string;
  /** `read`: the program waits for the reader that is furthest. `look`: nobody waits. */
  mode: "read" | "look" | "write";
  /** Of its output; what is no longer kept is skipped: the offset jumps. */
  from: number;
}

/** One reader or writer of a terminal. It outlives the link: an adopted VM lists it. */
export interface VmAttachment extends FrameSource {
  /** Another connection's, from what that has received; what of the input was taken is told again. */
  resume(received: number): Promise<void>;
}

export interface VmTerminals {
  /** The program gets SIGWINCH. Does nothing where it has ended. */
  resize(processId: string, size: TerminalSize): void;
  /** Rejects with `NOT_FOUND`, or `POOL_EXHAUSTED` where the terminals have too many readers. */
  attach(
    request: AttachmentRequest,
    sink: FrameSink,
  ): Promise<{ attachment: VmAttachment; end: number; size: TerminalSize }>;
}

/** An attachment that was found in an adopted VM. */
export interface AdoptedAttachment {
  readonly attachmentId: string;
  readonly processId: string;
  readonly attachment: VmAttachment;
  /** Where its frames go; set before `resume`. */
  attach(sink: FrameSink): void;
}
