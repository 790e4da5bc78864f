import type { StreamFrame } from "@agentos/protocol";

/** Takes what arrives on one numbered stream of one connection. */
export interface FrameReceiver {
  frame(frame: StreamFrame): void;
}
