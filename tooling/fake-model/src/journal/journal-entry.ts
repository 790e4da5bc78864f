import type { ModelRequest } from "../conversation/model-request.ts";

/**
 * How a request ended: `finished`, all was sent; `aborted`, the client closed before that;
 * `cut`, the script cut the connection.
 */
export type Outcome = "open" | "finished" | "aborted" | "cut";

/** One request, and what became of it so far. */
export interface JournalEntry {
  /** From 1. */
  readonly id: number;
  readonly at: Date;
  readonly method: string;
  readonly path: string;
  /** Without what is in `credentials`. */
  readonly query: Readonly<Record<string, string>>;
  /** Without what is in `credentials`. */
  readonly headers: Readonly<Record<string, string>>;
  /** The keys that came, by header, or as `?key`: nowhere else in the entry. */
  readonly credentials: Readonly<Record<string, string>>;
  /** The body as it came. */
  readonly text: string;
  /** Parsed; undefined when it is no JSON. */
  readonly body: unknown;
  /** What the model was asked; undefined for the other endpoints and for what was refused. */
  readonly request: ModelRequest | undefined;
  /** Which rule answered, from 0; undefined for what no rule saw or matched. */
  readonly rule: number | undefined;
  /** What was wrong with the request or the script, in words: no rule matched, say. */
  readonly problem: string | undefined;
  /** 0 before the headers are sent. */
  readonly status: number;
  /** Of the body. */
  readonly bytesSent: number;
  readonly outcome: Outcome;
  readonly endedAt: Date | undefined;
}
