import type {
  MethodParams,
  SessionEvent,
  SessionInfo,
  TurnResult,
  VmScope,
} from "@agentos/protocol";

import type { TestClient } from "../sidecar-harness.ts";

type Spec = MethodParams<"session.create">["session"];

/** One session as a test's client uses it. */
export class SessionClient {
  readonly client: TestClient;
  readonly scope: VmScope;
  readonly sessionId: string;

  constructor(client: TestClient, scope: VmScope, sessionId: string) {
    this.client = client;
    this.scope = { vmId: scope.vmId, fence: scope.fence };
    this.sessionId = sessionId;
  }

  /** Opens one in a VM of its own. */
  static async create(client: TestClient, spec: Partial<Spec> = {}): Promise<SessionClient> {
    const { lease } = await client.create();
    return await SessionClient.createIn(client, lease, spec);
  }

  static async createIn(
    client: TestClient,
    { vmId, fence }: VmScope,
    spec: Partial<Spec> = {},
  ): Promise<SessionClient> {
    const sessionId = spec.sessionId ?? client.id("session");
    const session = { runtime: "scripted", ...spec, sessionId };
    await client.peer.request("session.create", { vmId, fence, session });
    return new SessionClient(client, { vmId, fence }, sessionId);
  }

  get ref(): VmScope & { sessionId: string } {
    return { ...this.scope, sessionId: this.sessionId };
  }

  async send(
    content: string,
    more: Partial<MethodParams<"session.prompt">> = {},
  ): Promise<{ turnId: string; seq: number }> {
    const turnId = this.client.id("turn");
    const prompt = { turnId, content, source: "prompt" as const, ...more };
    return await this.client.peer.request("session.prompt", { ...this.ref, ...prompt });
  }

  /** The turn's result, by reading the transcript. */
  async result(turnId: string): Promise<TurnResult> {
    const end = await this.find((event) => event.type === "turn_end" && event.turnId === turnId);
    if (end.type !== "turn_end") throw new Error("not a turn's end");
    return end.result;
  }

  async prompt(
    content: string,
    more: Partial<MethodParams<"session.prompt">> = {},
  ): Promise<TurnResult> {
    return await this.result((await this.send(content, more)).turnId);
  }

  /** The first event that is as asked, past or to come. */
  async find(is: (event: SessionEvent) => boolean): Promise<SessionEvent> {
    for (let after = 0; ;) {
      // oxlint-disable-next-line no-await-in-loop -- The next batch is what this waits for.
      const { events, ended } = await this.events(after, 20_000);
      const found = events.find(is);
      if (found !== undefined) return found;
      if (ended) throw new Error("the session ended first");
      after = events.at(-1)?.seq ?? after;
    }
  }

  async events(after = 0, waitMs = 0): Promise<{ events: SessionEvent[]; ended: boolean }> {
    const { sessionId } = this;
    const params = { sessionId, after, waitMs };
    return await this.client.peer.request("session.events", params, { deadlineMs: null });
  }

  async info(): Promise<SessionInfo> {
    return await this.client.peer.request("session.info", { sessionId: this.sessionId });
  }
}
