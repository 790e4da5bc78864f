import type { ModelRequest, FormatName } from "../conversation/model-request.ts";
import type { ErrorKind, RateLimit } from "../script/http-fault.ts";
import type { StopReason } from "../script/reply-options.ts";
import type { Usage } from "../script/usage.ts";

/** A request for an answer of the model, as it came. */
export interface Call {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

/** One provider's wire format: reads its requests, writes its answers and errors. */
export interface WireFormat {
  readonly name: FormatName;
  /** Throws zod's error for a body that the provider would refuse. */
  read(call: Call): ModelRequest;
  encoder(context: EncoderContext): Encoder;
  /** The events of a stream come as `data:` lines, or as the items of one JSON array. */
  framing(call: Call): Framing;
  error(error: WireError): ErrorAnswer;
  /** The id of the nth tool call. */
  callId(n: number): string;
}

/** How the events of a stream are written. */
export interface Framing {
  readonly contentType: string;
  readonly start: string;
  readonly end: string;
  write(frame: Frame, first: boolean): string;
}

/** One event of a stream. */
export interface Frame {
  readonly event?: string;
  readonly data: Readonly<Record<string, unknown>> | string;
}

/** What an encoder knows from the start. */
export interface EncoderContext {
  readonly request: ModelRequest;
  /** Counts answers. */
  readonly n: number;
  readonly createdAt: Date;
  readonly usage: Usage;
}

/** A piece of the answer: a text, or a tool call with its arguments as JSON. */
export interface Block {
  readonly type: "text" | "thinking" | "refusal" | "tool";
  /** Its place among all, and among those of its type. */
  readonly index: number;
  readonly indexOfType: number;
  /** So far. */
  content: string;
  /** Of a tool call. */
  readonly tool?: CalledTool;
}

/** The tool that a block calls. */
export interface CalledTool {
  readonly id: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly freeForm: boolean;
}

/** How an answer ended. */
export interface Ending {
  readonly stop: StopReason;
  readonly usage: Usage;
}

/** Writes one answer. */
export interface Encoder {
  begin(): readonly Frame[];
  open(block: Block): readonly Frame[];
  delta(block: Block, piece: string): readonly Frame[];
  close(block: Block): readonly Frame[];
  finish(blocks: readonly Block[], ending: Ending): readonly Frame[];
  error(kind: ErrorKind, message: string): readonly Frame[];
  whole(blocks: readonly Block[], ending: Ending): Readonly<Record<string, unknown>>;
}

/** An error, before a provider's form is given to it. */
export interface WireError {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly limit: RateLimit | undefined;
  readonly requestId: string;
}

/** An error in a provider's form. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The status of each kind of error; a provider may have its own. */
export const STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid_request: 400,
  authentication: 401,
  permission: 403,
  not_found: 404,
  too_large: 413,
  rate_limit: 429,
  server: 500,
  overloaded: 503,
  unavailable: 503,
};
