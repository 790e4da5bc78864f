import { type AgentOptions, type AgentOs, type AgentOsSidecar, Relay } from "@agentos/client";

import type { HostVms } from "./host-vms.ts";
import type { GateMessage, RelayGate } from "./relay-gate.ts";

/** The relay of a sidecar of the broker's own, by the client's face. */
export class ClientGate implements RelayGate {
  readonly #sidecar: AgentOsSidecar;
  readonly #vms: HostVms;
  readonly #relay: Relay;

  constructor(sidecar: AgentOsSidecar, vms: HostVms) {
    this.#sidecar = sidecar;
    this.#vms = vms;
    this.#relay = Relay.connect({ sidecar });
  }

  async spawn(name: string, cwd: string, options: AgentOptions): Promise<{ warning?: string }> {
    const os: AgentOs = await this.#vms.of(cwd);
    const { warning } = await os.relay.spawn(name, options);
    return warning === undefined ? {} : { warning };
  }

  async release(name: string, reason: string | undefined): Promise<void> {
    await this.#relay.release(name, reason === undefined ? {} : { reason });
  }

  async continuity(name: string): ReturnType<RelayGate["continuity"]> {
    return await this.#relay.continuity(name);
  }

  async agents(): ReturnType<RelayGate["agents"]> {
    return await this.#relay.agents();
  }

  async send({
    to,
    text,
    ...options
  }: GateMessage): Promise<{ recipients: readonly string[]; threadId: string }> {
    return await this.#relay.send(to, text, options);
  }

  async message(messageId: string): ReturnType<RelayGate["message"]> {
    const { message, deliveries } = await this.#relay.message(messageId);
    const { kind, text, data, threadId } = message;
    // A person's mailbox is no worker.
    const toAgents = deliveries.filter(({ recipient }) => !recipient.startsWith("human:"));
    return { kind, text, data, threadId, deliveries: toAgents };
  }

  async input(name: string, data: string): Promise<{ bytes: number }> {
    return await this.#relay.input(name, data);
  }

  async setModel(name: string, model: string, timeoutMs: number | undefined): Promise<void> {
    await this.#relay.setModel(name, model, timeoutMs === undefined ? {} : { timeoutMs });
  }

  async metrics(name?: string): ReturnType<RelayGate["metrics"]> {
    return await this.#relay.metrics(name === undefined ? {} : { name });
  }

  async health(): ReturnType<RelayGate["health"]> {
    return await this.#relay.health();
  }

  async preflight(
    cwd: string,
    agents: Readonly<Record<string, AgentOptions>>,
  ): ReturnType<RelayGate["preflight"]> {
    return await (await this.#vms.any(cwd)).relay.preflight(agents);
  }

  events(signal: AbortSignal): ReturnType<RelayGate["events"]> {
    return this.#relay.events({ signal });
  }

  async *output(
    name: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ stream: string; text: string }, void> {
    for await (const { text } of this.#relay.logs(name, { follow: true, signal }))
      yield { stream: "stdout", text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#vms.end();
    await this.#sidecar.dispose();
  }
}
