import { ScriptedRuntime } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { type TestClient, TestSidecar } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";

const TEXT = "x".repeat(9_000);
const BOUND = 70_000;

async function sayMuch({ say }: { say: (text: string) => void }): Promise<string> {
  say(TEXT);
  return TEXT;
}

/** Sessions of which each turn tells some 27,000 bytes: as text, as a step, and in its end. */
class World implements AsyncDisposable {
  readonly sidecar: TestSidecar;
  readonly client: TestClient;

  static async start(): Promise<World> {
    const runtimes = [new ScriptedRuntime({ script: sayMuch })];
    const sidecar = await TestSidecar.start({ runtimes, transcriptBytes: BOUND });
    return new World(sidecar, await sidecar.connect());
  }

  constructor(sidecar: TestSidecar, client: TestClient) {
    this.sidecar = sidecar;
    this.client = client;
  }

  async session(sessionId: string): Promise<SessionClient> {
    return await SessionClient.create(this.client, { sessionId });
  }

  async close(session: SessionClient): Promise<void> {
    await this.client.peer.request("session.close", session.ref);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.sidecar[Symbol.asyncDispose]();
  }
}

describe("all transcripts together", () => {
  test("[session.transcript-bound] the oldest closed session loses its transcript, says so, and goes on when it is resumed", async () => {
    await using at = await World.start();
    const sessions = [];
    for (const id of ["first", "second", "third"]) {
      const session = await at.session(id);
      sessions.push(session);
      await session.prompt("go");
      if (id !== "third") await at.close(session);
    }
    const [first, second, third] = sessions;
    if (first === undefined || second === undefined || third === undefined) throw new Error("none");
    await third.prompt("more");
    const { events, ended } = await first.events();
    expect({ events, ended }).toMatchObject({
      events: [{ type: "notice", message: expect.stringContaining("was removed") }],
      ended: true,
    });
    expect((await second.events()).events[0]).toMatchObject({ seq: 1 });
    expect(at.sidecar.log.lines.filter(({ level }) => level === "warn")).toMatchObject([
      { facts: { session: "owner/first" }, message: expect.stringContaining("was removed") },
    ]);
    const { sessionId } = first;
    const resume = { mode: "resume" as const };
    const again = await SessionClient.createIn(at.client, first.scope, { sessionId, resume });
    await expect(again.prompt("on")).resolves.toMatchObject({ text: TEXT });
    await expect(again.info()).resolves.toMatchObject({ turns: 2 });
  });

  test("where only open sessions are left, prompts are refused until one gives way", async () => {
    await using at = await World.start();
    const session = await at.session("first");
    for (const turn of ["one", "two", "three"]) await session.prompt(turn);
    const refusal = { code: "POOL_EXHAUSTED", details: { limit: "transcriptBytes" } };
    await expect(session.send("four")).rejects.toMatchObject(refusal);
    await expect(session.info()).resolves.toMatchObject({ queued: 0, turns: 3 });
    await at.client.peer.request("session.clearHistory", session.ref);
    const { lastSeq } = await session.info();
    await expect(session.prompt("four")).resolves.toMatchObject({ text: TEXT });
    expect((await session.events()).events[0]).toMatchObject({ seq: lastSeq + 1 });
  });

  test("a cleared session that is closed ends its readers", async () => {
    await using at = await World.start();
    const session = await at.session("first");
    await session.prompt("go");
    await at.close(session);
    const { sessionId } = session;
    const resume = { mode: "resume" as const };
    const again = await SessionClient.createIn(at.client, session.scope, { sessionId, resume });
    await at.client.peer.request("session.clearHistory", again.ref);
    await at.close(again);
    const { events, ended } = await again.events();
    expect(events).toMatchObject([{ type: "state", state: "closed" }]);
    expect(ended).toBe(true);
  });
});
