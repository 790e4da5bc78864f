import { once } from "node:events";

import { AgentOs } from "@agentos/client";

import { hostFirstByte } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";

const KILLS = 20;
/** A line with its number and the time, every 2 ms. */
const TICKER = "let n = 0; setInterval(() => console.log(`${n++} ${Date.now()}`), 2)";

/** `kill -9` of the sidecar to the first byte at the client that was written after it. */
export const killRow: Row = {
  name: "kill",
  run: async () => {
    await using os = await AgentOs.create();
    await using ticker = await os.spawn(["node", "-e", TICKER]);
    const lines = new Lines(ticker.stdout);
    const samples: number[] = [];
    const starts: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      await lines.after(Date.now());
      const { sidecarPid } = await os.info();
      const startedAt = performance.now();
      const killedAt = Date.now();
      process.kill(sidecarPid, "SIGKILL");
      await lines.after(killedAt + 1);
      samples.push(performance.now() - startedAt);
      starts.push(await hostFirstByte(process.execPath, ["-p", "0"]));
    }
    const kill = summarise(samples);
    return {
      row: `kill -9 of the sidecar to the next new byte (${lines.wrong} of ${lines.count} lines lost or doubled)`,
      unit: "ms",
      variants: { "node -p 0": summarise(starts), "kill to byte": kill },
      goals: [atMost("p50, ms", kill.p50, 300), atMost("lines lost or doubled", lines.wrong, 0)],
    };
  },
};

/** The ticker's lines, each once and in order, or counted as wrong. */
class Lines {
  count = 0;
  wrong = 0;
  #rest = "";
  #lastMs = 0;
  readonly #arrivals = new EventTarget();

  constructor(stream: AsyncIterable<Uint8Array>) {
    // A stream that breaks leaves the row waiting, which the sidecar's loss would show.
    this.#read(stream).catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
  }

  /** Resolves once a line of that time or later is here. */
  async after(ms: number): Promise<void> {
    while (this.#lastMs < ms) await once(this.#arrivals, "line");
  }

  async #read(stream: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of stream) {
      const lines = (this.#rest + Buffer.from(chunk).toString()).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
      this.#arrivals.dispatchEvent(new Event("line"));
    }
  }

  #take(line: string): void {
    const [number, ms] = line.split(" ").map(Number);
    if (number !== this.count) this.wrong += 1;
    this.count = (number ?? this.count) + 1;
    this.#lastMs = ms ?? this.#lastMs;
  }
}
