import { StringDecoder } from "node:string_decoder";

import type { Terminal } from "@agentos/client";

/** A terminal's output as it comes, to be waited for; vitest's timeout is the bound. */
export class Screen implements AsyncDisposable {
  readonly terminal: Terminal;
  readonly done: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new StringDecoder();
  readonly #chunks: Uint8Array[] = [];
  #text = "";
  #seen = 0;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
    this.#reader = terminal.output.getReader();
    this.done = this.#read();
    // Whoever waits for text hears of it, too.
    this.done.catch(() => undefined);
  }

  /** All of it. */
  get text(): string {
    return this.#text;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Types, and waits for what must be shown after what was waited for before. */
  async type(keys: string | Uint8Array, expected: string | RegExp): Promise<string> {
    await this.terminal.write(keys);
    return await this.until(expected);
  }

  async until(expected: string | RegExp): Promise<string> {
    for (;;) {
      const rest = this.#text.slice(this.#seen);
      const found =
        typeof expected === "string" ? endOf(rest, expected) : endOfMatch(rest, expected);
      if (found !== undefined) {
        this.#seen += found;
        return rest.slice(0, found);
      }
      if (this.#isOver) throw new Error(`the output ended with ${JSON.stringify(rest)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One that failed has told whoever waited for it.
    await this.#reader.cancel().catch(() => undefined);
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) return;
        this.#chunks.push(value);
        this.#text += this.#decoder.write(Buffer.from(value));
        this.#wake();
      }
    } finally {
      this.#isOver = true;
      this.#wake();
    }
  }
}

function endOf(text: string, expected: string): number | undefined {
  const at = text.indexOf(expected);
  return at === -1 ? undefined : at + expected.length;
}

function endOfMatch(text: string, expected: RegExp): number | undefined {
  const match = expected.exec(text);
  return match === null ? undefined : match.index + match[0].length;
}
