import type { Gate } from "./gate.ts";
import type { Usage } from "./usage.ts";

/** How a reply is sent, and what is wrong with it. */
export interface ReplyOptions {
  /** Counted from the texts where not given: exact only when given. */
  readonly usage?: Partial<Usage>;
  /** `tool_calls`, `refusal` or `end` by default, from what the reply holds. */
  readonly stop?: StopReason;
  /** One pass of the gate for each delta. */
  readonly pacedBy?: Gate;
  /** The headers wait here. */
  readonly holdHeaders?: Gate;
  /** Writes of at most so many bytes, wherever that cuts. */
  readonly inBytes?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Put into every event, or into the body: fields that nobody knows yet. */
  readonly extraFields?: Readonly<Record<string, unknown>>;
}

/** Why the model stopped. */
export type StopReason = "end" | "tool_calls" | "max_tokens" | "refusal" | "stop_sequence";
