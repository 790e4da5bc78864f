import { PassThrough } from "node:stream";

import { serveBroker } from "../../src/relay-broker/serve-broker.ts";
import { FakeGate } from "./fake-gate.ts";
import { V1Client } from "./v1-client.ts";

export const DIRECTORY = "/home/me/project";

/** A broker over a fake relay, and a client. */
export class BrokerWorld implements AsyncDisposable {
  readonly gate = new FakeGate();
  readonly warnings: string[] = [];
  readonly client: V1Client;
  readonly served: Promise<void>;
  readonly #end = new AbortController();

  constructor() {
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    this.client = new V1Client(stdin, stdout);
    this.served = serveBroker({
      gate: this.gate,
      stdin,
      stdout,
      directory: DIRECTORY,
      log: {
        error: (text) => void this.warnings.push(text),
        warn: (text) => void this.warnings.push(text),
        debug: () => undefined,
      },
      signal: this.#end.signal,
    });
  }

  async spawn(name = "A", more: object = {}): Promise<void> {
    const agent = { name, runtime: "pty", cli: "bash", ...more };
    await this.client.result("spawn_agent", { agent });
    await this.client.event("worker_ready", { name });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.served;
  }
}
