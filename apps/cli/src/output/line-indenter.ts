import { StringDecoder } from "node:string_decoder";

/** Puts `prefix` before every line of a byte stream, as the bytes come. */
export class LineIndenter {
  readonly #prefix: string;
  readonly #decoder = new StringDecoder("utf8");
  #atLineStart = true;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The next bytes, indented; empty lines stay empty. */
  push(bytes: Uint8Array): string {
    const text = this.#decoder.write(Buffer.from(bytes));
    if (text === "") return "";
    const lead = this.#atLineStart ? "\n" : "";
    this.#atLineStart = text.endsWith("\n");
    const body = this.#atLineStart ? text.slice(0, -1) : text;
    const indented = `${lead}${body}`.replaceAll(/\n(?=[^\n])/g, `\n${this.#prefix}`);
    return `${lead === "" ? indented : indented.slice(1)}${this.#atLineStart ? "\n" : ""}`;
  }

  /** Ends a line that the stream left open. */
  end(): string {
    const open = !this.#atLineStart;
    this.#atLineStart = true;
    return open ? `${this.#decoder.end()}\n` : "";
  }
}
