import type { RequestAnswer, SessionEvent, VmScope } from "@agentos/protocol";
import { ScriptedRuntime, type ScriptedTurn } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { Lives } from "../adoption/lives.ts";
import type { TestClient } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";

const ALLOW = { kind: "permission", decision: "allow" } as const;

/** "deploy x" calls the tool with x; "question" asks one; anything else is said back. */
async function script({ prompt, call }: ScriptedTurn): Promise<string> {
  const [, place] = /^deploy (\w+)/.exec(prompt) ?? [];
  if (place !== undefined) return (await call("deploy", { place })).outcome;
  if (prompt !== "question") return prompt;
  const { content } = await call("ask_question", { questions: [{ question: "Which?" }] });
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

/** A session whose sidecars are killed, one after the other. */
class Killed implements AsyncDisposable {
  readonly lives: Lives;
  readonly runs: string[] = [];
  lease: VmScope & { leaseId: string };
  client: TestClient;
  session: SessionClient;
  readonly #clients: TestClient[] = [];

  static async start(): Promise<Killed> {
    const lives = await Lives.start({ runtimes: [new ScriptedRuntime({ script })] });
    const client = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a", leaseId: "l1" });
    const tools = [{ name: "deploy", description: "d", inputSchema: { type: "object" } }];
    const spec = { sessionId: "s", tools, asks: "wait" } as const;
    const session = await SessionClient.createIn(client, lease, spec);
    const killed = new Killed(lives, client, lease, session);
    await killed.#handle();
    return killed;
  }

  constructor(
    lives: Lives,
    client: TestClient,
    lease: VmScope & { leaseId: string },
    session: SessionClient,
  ) {
    this.lives = lives;
    this.client = client;
    this.lease = lease;
    this.session = session;
    this.#clients.push(client);
  }

  /** Asks for that, and resolves with the request once it is open. */
  async asks(prompt: string, turnId: string): Promise<string> {
    await this.session.send(prompt, { turnId });
    const event = await this.session.find(
      (each) => each.type === "request" && each.turnId === turnId,
    );
    return event.type === "request" ? event.request.requestId : "";
  }

  async kill(): Promise<void> {
    await this.lives.next();
    this.client = await this.lives.connect();
    this.#clients.push(this.client);
    this.session = new SessionClient(this.client, this.lease, "s");
    await this.client.peer.request("lease.resume", this.lease);
    await this.#handle();
  }

  async respond(requestId: string, answer: RequestAnswer = ALLOW): Promise<unknown> {
    return await this.client.peer.request("session.respond", {
      ...this.session.ref,
      requestId,
      answer,
    });
  }

  async pending(): Promise<string[]> {
    return (await this.session.info()).pending.map(({ requestId }) => requestId);
  }

  async #handle(): Promise<void> {
    this.client.onCallback = async ({ ask }) => {
      this.runs.push(ask.kind === "tool" ? JSON.stringify(ask.input) : ask.kind);
      return { kind: "tool", isError: false, content: [] };
    };
    const callbacks = ["tool:deploy"];
    await this.client.peer.request("session.handle", { ...this.session.ref, callbacks });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    await this.lives[Symbol.asyncDispose]();
  }
}

const resolved = (requestId: string) => (event: SessionEvent) =>
  event.type === "request_resolved" && event.requestId === requestId;

describe("a request of an earlier life", () => {
  test("[session.restart-request] it waits on after kill -9, and its answer is used once, for exactly the same call", async () => {
    await using at = await Killed.start();
    const requestId = await at.asks("deploy moon", "t1");
    await at.kill();
    await expect(at.session.result("t1")).resolves.toMatchObject({ stopReason: "interrupted" });
    await expect(at.session.info()).resolves.toMatchObject({
      state: "idle",
      pending: [{ requestId, turnId: "t1" }],
    });
    await at.respond(requestId);
    await expect(at.respond(requestId)).rejects.toMatchObject({ code: "REQUEST_SETTLED" });
    expect(await at.session.find(resolved(requestId))).toMatchObject({ outcome: "allowed" });
    await at.kill();
    expect(await at.pending()).toEqual([]);
    await expect(at.session.prompt("deploy moon", { turnId: "t2" })).resolves.toMatchObject({
      text: "ok",
    });
    expect(at.runs).toEqual(['{"place":"moon"}']);
    const again = await at.asks("deploy moon", "t3");
    expect(again).not.toBe(requestId);
    await at.respond(again, { kind: "permission", decision: "deny" });
    await expect(at.session.result("t3")).resolves.toMatchObject({ text: "denied" });
    expect(at.runs).toHaveLength(1);
  });

  test("[session.restart-request-other] other arguments are asked anew, and an answer that nobody used is told and gone", async () => {
    await using at = await Killed.start();
    const requestId = await at.asks("deploy moon", "t1");
    await at.kill();
    await at.respond(requestId);
    const other = await at.asks("deploy mars", "t2");
    expect(other).not.toBe(requestId);
    await at.respond(other, { kind: "permission", decision: "deny" });
    await at.session.result("t2");
    const notice = await at.session.find(({ type }) => type === "notice");
    expect(notice).toMatchObject({ message: expect.stringContaining(requestId) });
    await at.asks("deploy moon", "t3");
    expect(at.runs).toEqual([]);
  });

  test("asked again before it was answered, it is the same request", async () => {
    await using at = await Killed.start();
    const requestId = await at.asks("deploy moon", "t1");
    await at.kill();
    await at.session.send("deploy moon", { turnId: "t2" });
    await expect.poll(async () => (await at.session.info()).state).toBe("waiting");
    expect(await at.pending()).toEqual([requestId]);
    await at.kill();
    expect(await at.pending()).toEqual([requestId]);
    await at.session.send("deploy moon", { turnId: "t3" });
    await expect.poll(async () => (await at.session.info()).state).toBe("waiting");
    await at.respond(requestId);
    await expect(at.session.result("t3")).resolves.toMatchObject({ text: "ok" });
    const { events } = await at.session.events();
    expect(events.filter(({ type }) => type === "request")).toHaveLength(1);
    expect(events.filter(resolved(requestId))).toHaveLength(1);
  });

  test("a question is answered so, too; an answer to something else leaves it open", async () => {
    await using at = await Killed.start();
    const requestId = await at.asks("question", "t1");
    await at.kill();
    await expect(at.respond(requestId)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await at.respond(requestId, { kind: "question", responses: [{ freeform: "this one" }] });
    await expect(at.session.prompt("question", { turnId: "t2" })).resolves.toMatchObject({
      text: "Which? this one",
    });
  });

  test("not asked again in the next turn, or once its session is closed, it is settled as cancelled", async () => {
    await using at = await Killed.start();
    const requestId = await at.asks("deploy moon", "t1");
    await at.kill();
    await at.session.prompt("something else", { turnId: "t2" });
    await at.session.find(resolved(requestId));
    const late = { code: "REQUEST_SETTLED", details: { requestId, outcome: "cancelled" } };
    await expect(at.respond(requestId)).rejects.toMatchObject(late);
    const last = await at.asks("deploy moon", "t3");
    await at.kill();
    await at.client.peer.request("session.close", at.session.ref);
    await expect(at.respond(last)).rejects.toMatchObject({
      code: "REQUEST_SETTLED",
      details: { outcome: "cancelled" },
    });
    expect(await at.pending()).toEqual([]);
  });

  test("[session.restart-request-fence] after a takeover nobody can answer what was asked before it", async () => {
    await using at = await Killed.start();
    const requestId = await at.asks("deploy moon", "t1");
    await at.kill();
    const { lease } = await at.client.peer.request("vm.attach", {
      vm: "vm-a",
      leaseId: "l2",
      mode: "takeover",
    });
    at.session = new SessionClient(at.client, lease, "s");
    await expect(at.respond(requestId)).rejects.toMatchObject({
      code: "REQUEST_SETTLED",
      message: expect.stringContaining("taken over"),
    });
    expect(await at.pending()).toEqual([]);
  });
});
