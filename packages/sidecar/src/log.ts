import type { Logger } from "pino";

import { BOUNDS } from "./bounds.ts";

type Level = "debug" | "info" | "warn" | "error";
interface Entry {
  level: Level;
  facts: Record<string, unknown>;
  message: string;
}

/** Entries that wait while pino loads. */
const MAX_WAITING_ENTRIES = 1_000;

/** Names of fields that never reach a log, at the first two depths. */
const SECRET_FIELDS = ["apiKey", "key", "token", "authorization", "secret", "env"];

/** Structured lines for people who run the sidecar. Nothing of a guest's data belongs in them. */
export interface Log {
  debug(facts: Record<string, unknown>, message: string): void;
  info(facts: Record<string, unknown>, message: string): void;
  warn(facts: Record<string, unknown>, message: string): void;
  error(facts: Record<string, unknown>, message: string): void;
}

/** Pino on stderr, loaded at the first line, because nothing before ready needs it. */
export class StderrLog implements Log {
  readonly #base: Record<string, unknown>;
  readonly #waiting: Entry[] = [];
  #logger: Logger | undefined;
  #loading: Promise<void> | undefined;

  constructor(base: Record<string, unknown>) {
    this.#base = base;
  }

  debug(facts: Record<string, unknown>, message: string): void {
    this.#write({ level: "debug", facts, message });
  }

  info(facts: Record<string, unknown>, message: string): void {
    this.#write({ level: "info", facts, message });
  }

  warn(facts: Record<string, unknown>, message: string): void {
    this.#write({ level: "warn", facts, message });
  }

  error(facts: Record<string, unknown>, message: string): void {
    this.#write({ level: "error", facts, message });
  }

  /** Resolves once every line so far has been handed to the system. */
  async flush(): Promise<void> {
    await this.#loading;
    const logger = this.#logger;
    if (logger !== undefined) await new Promise<void>((resolve) => logger.flush(() => resolve()));
  }

  #write(entry: Entry): void {
    if (this.#logger !== undefined) return this.#logger[entry.level](entry.facts, entry.message);
    if (this.#waiting.length < MAX_WAITING_ENTRIES) this.#waiting.push(entry);
    this.#loading ??= this.#load();
  }

  async #load(): Promise<void> {
    const { pino } = await import("pino");
    // Not `sync`: a stderr that nobody reads must not stop the event loop.
    const destination = pino.destination({ fd: 2, sync: false, maxLength: BOUNDS.logBytes });
    // The reader of stderr is gone: there is nobody left to tell.
    destination.on("error", () => undefined);
    const redact = { paths: secretPaths(), censor: "[redacted]" };
    this.#logger = pino({ level: "info", base: this.#base, redact }, destination);
    for (const { level, facts, message } of this.#waiting.splice(0))
      this.#logger[level](facts, message);
  }
}

function secretPaths(): string[] {
  return SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]);
}

/** What of a foreign error may be logged. */
export function errorFacts(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: String(error) };
  const { message, stack, cause } = error;
  return { error: message, stack, cause: cause instanceof Error ? cause.stack : undefined };
}
