import type { Io } from "../io.ts";

const LEVELS = ["silent", "error", "warn", "info", "debug"] as const;
type Level = (typeof LEVELS)[number];

/** Of one line on stderr: clients read no longer ones. */
const LINE_CHARACTERS = 4_000;

/** Lines on stderr, from `AGENTOS_LOG` up: `warn` by default. No message's text belongs in them. */
export class BrokerLog {
  readonly #io: Pick<Io, "stderr">;
  readonly #most: number;

  /** Throws an `Error` for a level that is none. */
  constructor(io: Pick<Io, "stderr" | "env">) {
    const asked = io.env["AGENTOS_LOG"] ?? "warn";
    const most = LEVELS.findIndex((level) => level === asked);
    if (most === -1) throw new Error(`AGENTOS_LOG: expected ${LEVELS.join(", ")}, got ${asked}`);
    this.#io = io;
    this.#most = most;
  }

  error(text: string): void {
    this.#write("error", text);
  }

  warn(text: string): void {
    this.#write("warn", text);
  }

  info(text: string): void {
    this.#write("info", text);
  }

  debug(text: string): void {
    this.#write("debug", text);
  }

  #write(level: Level, text: string): void {
    if (LEVELS.indexOf(level) > this.#most) return;
    const line = text.replaceAll(/\s+/g, " ").slice(0, LINE_CHARACTERS);
    this.#io.stderr.write(`agentos: ${line}\n`);
  }
}
