import type { AgentOs } from "@agentos/client";

import type { Channel, GuestOutput } from "./guest-output.ts";

/** Once the guest has ended, a process that it left behind may hold its output open: silence for this long is the end. */
const SILENCE_MS = 500;

type Guest = Awaited<ReturnType<AgentOs["spawn"]>>;

/** Passes on what the guest writes until it has ended and its output is here. */
export async function drainOutput(guest: Guest, output: GuestOutput, os: AgentOs): Promise<void> {
  const pumps = [
    new OutputPump(guest.stdout, "stdout", output),
    new OutputPump(guest.stderr, "stderr", output),
  ];
  const drained = Promise.all(pumps.map((pump) => pump.done));
  drained.catch(() => undefined);
  await Promise.race([drained, guest.exited]);
  await guest.exited;
  if (await leftSomethingBehind(os, guest)) await Promise.race([drained, silence(pumps)]);
  else await drained;
  await Promise.all(pumps.map((pump) => pump.stop()));
}

/** Copies one stream, and knows whether it is at it. */
class OutputPump {
  readonly done: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #busy = false;
  #pieces = 0;
  #stopped = false;

  constructor(stream: ReadableStream<Uint8Array>, channel: Channel, output: GuestOutput) {
    this.#reader = stream.getReader();
    this.done = this.#pump(channel, output);
  }

  /** Changes whenever something happens; undefined while a piece is being written. */
  get progress(): number | undefined {
    return this.#busy ? undefined : this.#pieces;
  }

  /** Leaves the stream. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#reader.cancel();
  }

  async #pump(channel: Channel, output: GuestOutput): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done || this.#stopped) return;
      this.#busy = true;
      await output.output(channel, value);
      this.#busy = false;
      this.#pieces += 1;
    }
  }
}

async function leftSomethingBehind(os: AgentOs, guest: Guest): Promise<boolean> {
  const processes = await os.processes();
  return processes.some(({ pid, processId }) => pid !== 1 && processId !== guest.id);
}

async function silence(pumps: readonly OutputPump[]): Promise<void> {
  for (let before: string | undefined; ;) {
    await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
    const states = pumps.map((pump) => pump.progress);
    const now = states.includes(undefined) ? undefined : states.join();
    if (now !== undefined && now === before) return;
    before = now;
  }
}
