import type {
  AgentInfo,
  Delivery,
  InboxEntry,
  MethodParams,
  MethodResult,
  RelayEvent,
  VmScope,
} from "@agentos/protocol";
import { type Script, ScriptedRuntime, type ScriptedRuntimeOptions } from "@agentos/testing";

import { type TestClient, TestSidecar, type TestSidecarOptions } from "../sidecar-harness.ts";

type Agent = MethodParams<"relay.spawn">["agent"];
export type AgentParams = Partial<Omit<Agent, "name" | "session">> & {
  session?: Partial<Agent["session"]>;
};
type Send = MethodParams<"relay.send">;

export interface RelayWorldOptions {
  readonly runtime?: ScriptedRuntimeOptions;
  readonly sidecar?: TestSidecarOptions;
}

/** One client of a relay, with a VM that its agents are in. */
export class RelayClient {
  readonly client: TestClient;
  readonly scope: VmScope;

  constructor(client: TestClient, { vmId, fence }: VmScope) {
    this.client = client;
    this.scope = { vmId, fence };
  }

  static async create(client: TestClient): Promise<RelayClient> {
    const { lease } = await client.create();
    return new RelayClient(client, lease);
  }

  async spawn(name: string, { session, ...more }: AgentParams = {}): Promise<AgentInfo> {
    const agent = { name, session: { runtime: "scripted", ...session }, ...more };
    const agentId = this.client.id("agent");
    const params = { ...this.scope, agentId, agent };
    return (await this.client.peer.request("relay.spawn", params)).agent;
  }

  async send(
    to: string,
    text: string,
    more: Partial<Send> = {},
  ): Promise<MethodResult<"relay.send">> {
    const messageId = this.client.id("message");
    return await this.client.peer.request("relay.send", { messageId, to, text, ...more });
  }

  async release(name: string, reason?: string): Promise<void> {
    const why = reason === undefined ? {} : { reason };
    await this.client.peer.request("relay.release", { name, ...why });
  }

  async deliveries(messageId: string): Promise<Delivery[]> {
    return (await this.client.peer.request("relay.message", { messageId })).deliveries;
  }

  async inbox(params: MethodParams<"relay.inbox"> = {}): Promise<InboxEntry[]> {
    return (await this.client.peer.request("relay.inbox", params)).entries;
  }

  async agents(): Promise<AgentInfo[]> {
    return (await this.client.peer.request("relay.agents", {})).agents;
  }

  /** Everything that was told so far. */
  async events(params: Partial<MethodParams<"relay.events">> = {}): Promise<RelayEvent[]> {
    const { events } = await this.client.peer.request("relay.events", { after: 0, ...params });
    return events;
  }

  /** The first event that is as asked, past or to come. */
  async find(is: (event: RelayEvent) => boolean): Promise<RelayEvent> {
    for (let after = 0; ;) {
      // oxlint-disable-next-line no-await-in-loop -- The next batch is what this waits for.
      const { events, seq } = await this.client.peer.request(
        "relay.events",
        { after, waitMs: 20_000 },
        { deadlineMs: null },
      );
      const found = events.find(is);
      if (found !== undefined) return found;
      after = seq;
    }
  }

  /** Once the message is at that state at its one recipient. */
  async until(messageId: string, state: Delivery["state"]): Promise<void> {
    await this.find(
      (event) =>
        event.type === "delivery" && event.messageId === messageId && event.state === state,
    );
  }
}

/** A sidecar, a client, and the runtime whose script its agents play. */
export class RelayWorld implements AsyncDisposable {
  readonly sidecar: TestSidecar;
  readonly runtime: ScriptedRuntime;
  readonly relay: RelayClient;

  private constructor(sidecar: TestSidecar, runtime: ScriptedRuntime, relay: RelayClient) {
    this.sidecar = sidecar;
    this.runtime = runtime;
    this.relay = relay;
  }

  static async start(script?: Script, options: RelayWorldOptions = {}): Promise<RelayWorld> {
    const own = script === undefined ? {} : { script };
    const runtime = new ScriptedRuntime({ ...own, ...options.runtime });
    const sidecar = await TestSidecar.start({ runtimes: [runtime], ...options.sidecar });
    const relay = await RelayClient.create(await sidecar.connect());
    return new RelayWorld(sidecar, runtime, relay);
  }

  /** Texts that the agent of that name was prompted with, in order. */
  heard(agentId: string): string[] {
    return this.runtime.prompts
      .filter((_, index) => this.runtime.promptedSessions[index] === agentId)
      .map(({ content }) => bodyOf(content));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.relay.client[Symbol.asyncDispose]();
    await this.sidecar[Symbol.asyncDispose]();
  }
}

/** The message's own text. */
export function bodyOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  const part: unknown = content[1];
  const isText = typeof part === "object" && part !== null && "text" in part;
  return isText ? String(part.text) : "";
}
