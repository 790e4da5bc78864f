import { type AgentInfo, AgentOsError, type Continuity, type RelayEvent } from "@agentos/client";

import type { GateMessage, RelayGate } from "../../src/relay-broker/relay-gate.ts";

type Happening = RelayEvent extends infer E
  ? E extends unknown
    ? Omit<E, "seq" | "at">
    : never
  : never;

/** A relay whose agents do what a test says. */
export class FakeGate implements RelayGate {
  readonly spawned: { name: string; cwd: string; options: Parameters<RelayGate["spawn"]>[2] }[] =
    [];
  readonly sent: GateMessage[] = [];
  readonly typed: string[] = [];
  readonly outputs = new Map<string, string[]>();
  onSpawn: (name: string) => Promise<{ warning?: string }> = async () => ({});
  onModel: (model: string) => Promise<void> = async () => undefined;
  #seq = 0;
  readonly #events: RelayEvent[] = [];
  #change = Promise.withResolvers<void>();

  happen(happening: Happening): void {
    this.#seq += 1;
    this.#events.push({ seq: this.#seq, at: 1_000 + this.#seq, ...happening });
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  async spawn(
    ...[name, cwd, options]: Parameters<RelayGate["spawn"]>
  ): Promise<{ warning?: string }> {
    this.spawned.push({ name, cwd, options });
    const ids = { agentId: `id-${name}`, sessionId: `session-${name}` };
    const facts = { runtime: options.runtime, model: null, parent: null };
    this.happen({ type: "agent_spawned", agent: name, ...ids, ...facts });
    const answer = await this.onSpawn(name);
    this.happen({ type: "agent_ready", agent: name });
    return answer;
  }

  async release(name: string, reason = "released"): Promise<void> {
    this.happen({ type: "agent_released", agent: name, reason, by: "human:orchestrator" });
  }

  async continuity(agentName: string): Promise<Continuity> {
    const times = { releasedAt: 1_000, lifetimeMs: 500 };
    const left = { agentName, runtime: "pty", task: null, cwd: "/", summary: "left" };
    return { ...left, ...times, messages: [] };
  }

  async agents(): Promise<AgentInfo[]> {
    return [];
  }

  async send(message: GateMessage): Promise<{ recipients: string[]; threadId: string }> {
    const { id, to, from, threadId = id, priority = 2 } = message;
    this.sent.push(message);
    const recipients = to.startsWith("#") ? [] : [to];
    const what = { messageId: id, from, to, threadId, priority, recipients, preview: "" };
    this.happen({ type: "message", ...what });
    return { recipients, threadId };
  }

  async message(messageId: string): ReturnType<RelayGate["message"]> {
    const found = this.sent.find(({ id }) => id === messageId);
    const { text = "", data, threadId = messageId } = found ?? {};
    const to = found?.to ?? "";
    const deliveries = to.startsWith("#")
      ? []
      : [{ deliveryId: `del_${messageId}`, recipient: to }];
    return { kind: "message", text, data, threadId, deliveries };
  }

  async input(_name: string, data: string): Promise<{ bytes: number }> {
    this.typed.push(data);
    return { bytes: Buffer.byteLength(data) };
  }

  async setModel(_name: string, model: string): Promise<void> {
    await this.onModel(model);
  }

  async metrics(): ReturnType<RelayGate["metrics"]> {
    const agents = this.spawned.map(({ name }, index) => ({
      name,
      pids: [100 + index],
      memoryBytes: 1_000,
      cpuMs: 1,
      uptimeMs: 2_500,
    }));
    const relay = { uptimeMs: 9_900, spawned: agents.length, crashes: 0, restarts: 0 };
    return { agents, relay: { ...relay, active: agents.length } };
  }

  async health(): ReturnType<RelayGate["health"]> {
    const record = { agent: "A", exitCode: 3, signal: null, at: 5_000, uptimeMs: 1_000 };
    const recent = [{ ...record, category: "error" as const, description: "d" }];
    return {
      crashes: 1,
      recent,
      patterns: [{ category: "error", count: 1, agents: ["A"] }],
      score: 90,
    };
  }

  async preflight(
    ...[, agents]: Parameters<RelayGate["preflight"]>
  ): ReturnType<RelayGate["preflight"]> {
    return Object.keys(agents).map((agent) => ({ agent, ok: true, detail: "there" }));
  }

  async *events(signal: AbortSignal): AsyncGenerator<RelayEvent, void> {
    for (let index = 0; ; index += 1) {
      while (this.#events[index] === undefined) {
        // oxlint-disable-next-line no-await-in-loop -- The next event is what this waits for.
        await Promise.race([this.#change.promise, aborted(signal)]);
        if (signal.aborted) return;
      }
      const event = this.#events[index];
      if (event !== undefined) yield event;
    }
  }

  async *output(name: string): AsyncGenerator<{ stream: string; text: string }, void> {
    for (const text of this.outputs.get(name) ?? []) yield { stream: "stdout", text };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

export function taken(name: string): AgentOsError<"ALREADY_EXISTS"> {
  return new AgentOsError("ALREADY_EXISTS", `there is an agent ${name}`, {
    kind: "agent",
    id: name,
  });
}
