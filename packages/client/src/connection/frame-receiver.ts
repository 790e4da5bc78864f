import type { AgentOsError, StreamFrame } from "@agentos/protocol";

/** Takes what arrives on one numbered stream. */
export interface FrameReceiver {
  frame(frame: StreamFrame): void;
  /** Nothing follows: the connection, the lease or the VM is gone. Called at most once. */
  closed(reason: AgentOsError): void;
}
