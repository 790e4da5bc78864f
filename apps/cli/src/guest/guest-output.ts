import type { Io } from "../io.ts";
import { OutputEncoder } from "../output/encode-output.ts";
import { write, writeJson } from "../output/write.ts";

export type Channel = "stdout" | "stderr";

/** Where a guest's output goes. */
export interface GuestOutput {
  /** Something other than output that happened; shown as a JSON line, or not at all. */
  event(name: string, details: object): Promise<void>;
  output(channel: Channel, bytes: Uint8Array): Promise<void>;
  /** No more output comes. */
  end(): Promise<void>;
}

/** The guest's bytes as they are, stdout and stderr apart; or one JSON line per piece. */
export function createGuestOutput(io: Io, json: boolean, signal: AbortSignal): GuestOutput {
  return json ? new JsonGuestOutput(io, signal) : plainOutput(io, signal);
}

function plainOutput(io: Io, signal: AbortSignal): GuestOutput {
  return {
    event: async () => {},
    output: (channel, bytes) => write(io[channel], bytes, signal),
    end: async () => {},
  };
}

class JsonGuestOutput implements GuestOutput {
  readonly #io: Io;
  readonly #signal: AbortSignal;
  readonly #encoders = { stdout: new OutputEncoder(), stderr: new OutputEncoder() };

  constructor(io: Io, signal: AbortSignal) {
    this.#io = io;
    this.#signal = signal;
  }

  event(name: string, details: object): Promise<void> {
    return writeJson(this.#io.stdout, { event: name, ...details }, this.#signal);
  }

  async output(channel: Channel, bytes: Uint8Array): Promise<void> {
    const piece = this.#encoders[channel].push(bytes);
    if (piece !== undefined) await this.event(channel, piece);
  }

  async end(): Promise<void> {
    for (const channel of ["stdout", "stderr"] as const) {
      const piece = this.#encoders[channel].end();
      if (piece !== undefined) await this.event(channel, piece);
    }
  }
}
