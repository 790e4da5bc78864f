import { StringDecoder } from "node:string_decoder";

/** Lines of an agent's stderr that an error tells. */
const LINES = 100;
/** Of each line. */
const LINE_CHARS = 1_024;

/** The last lines of a program's stderr. */
export class LineTail {
  readonly #decoder = new StringDecoder("utf8");
  #lines: string[] = [];
  #open = "";

  add(bytes: Uint8Array): void {
    const [first = "", ...others] = this.#decoder.write(Buffer.from(bytes)).split("\n");
    this.#open = (this.#open + first).slice(0, LINE_CHARS);
    for (const line of others) {
      this.#lines.push(this.#open);
      this.#open = line.slice(0, LINE_CHARS);
    }
    this.#lines = this.#lines.slice(-LINES);
  }

  get lines(): string[] {
    const all = this.#open === "" ? this.#lines : [...this.#lines, this.#open];
    return all.slice(-LINES);
  }
}
