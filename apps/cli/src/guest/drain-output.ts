import type { AgentOs, ChannelEnd } from "@agentos/client";

import type { Channel, GuestOutput } from "./guest-output.ts";

type Guest = Awaited<ReturnType<AgentOs["spawn"]>>;

/** Passes on what was written until the guest ended. What a process that it left behind writes later is nobody's. */
export async function drainOutput(guest: Guest, output: GuestOutput): Promise<void> {
  const pumps = {
    stdout: new OutputPump(guest.stdout, "stdout", output),
    stderr: new OutputPump(guest.stderr, "stderr", output),
  };
  const drained = Promise.all([pumps.stdout.done, pumps.stderr.done]);
  drained.catch(() => undefined);
  await Promise.race([drained, guest.exited]);
  const { channels } = await guest.exited;
  await Promise.all([pumps.stdout.end(channels?.stdout), pumps.stderr.end(channels?.stderr)]);
}

/** Copies one stream until its end, or to where the guest's end says. */
class OutputPump {
  readonly done: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #copied = 0;
  #total = Number.POSITIVE_INFINITY;

  constructor(stream: ReadableStream<Uint8Array>, channel: Channel, output: GuestOutput) {
    this.#reader = stream.getReader();
    this.done = this.#pump(channel, output);
  }

  /** Resolves once everything up to the guest's end has been copied, and leaves the stream. */
  async end(channel: ChannelEnd | undefined): Promise<void> {
    if (channel?.open === true) {
      this.#total = channel.bytes;
      // It waits for bytes that are not the guest's.
      if (this.#copied >= this.#total) await this.#reader.cancel();
    }
    await this.done;
    await this.#reader.cancel();
  }

  async #pump(channel: Channel, output: GuestOutput): Promise<void> {
    while (this.#copied < this.#total) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      await output.output(channel, value);
      this.#copied += value.byteLength;
    }
  }
}
