import { StringDecoder } from "node:string_decoder";

import type { VmProcessExit } from "@agentos/core";
import { DEFAULTS } from "@agentos/protocol";

/** What a command wrote, its first and its last bytes kept, each piece told as it comes. */
export class CommandOutput {
  readonly #tell: (delta: string) => void;
  readonly #decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  #head = "";
  #tail = "";
  #dropped = 0;

  constructor(tell: (delta: string) => void) {
    this.#tell = tell;
  }

  readonly take = (bytes: Uint8Array, channel: "stdout" | "stderr"): void => {
    const text = this.#decoders[channel].write(bytes);
    if (text === "") return;
    // Past what the transcript keeps, watching goes on no longer: the result says how much was left out.
    if (this.#tail === "") this.#tell(text);
    this.#keep(text);
  };

  /** All that is kept, and how the command ended. */
  describe(exit: VmProcessExit): string {
    const left = this.#dropped === 0 ? "" : `\n[${this.#dropped} characters left out]\n`;
    const text = `${this.#head}${left}${this.#tail}`;
    const separator = text === "" || text.endsWith("\n") ? "" : "\n";
    return `${text}${separator}[${endOf(exit)}]`;
  }

  #keep(text: string): void {
    const half = DEFAULTS.toolResultBytes / 4;
    const room = Math.max(0, half - this.#head.length);
    this.#head += text.slice(0, room);
    const tail = this.#tail + text.slice(room);
    this.#dropped += Math.max(0, tail.length - half);
    this.#tail = tail.slice(-half);
  }
}

function endOf(exit: VmProcessExit): string {
  if (exit.timedOut) return "timed out and was killed";
  return exit.signal === null ? `exit code ${exit.exitCode}` : `ended by ${exit.signal}`;
}
