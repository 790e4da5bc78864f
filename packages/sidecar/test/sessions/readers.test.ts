import type { SessionEvent } from "@agentos/protocol";
import { Gate } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import type { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

const SAID = Array.from({ length: 50 }, (_, count) => `${count} `);

/** What one reader gets, batch after batch, up to the turn's end. */
async function readAll(session: SessionClient, turnId: string): Promise<SessionEvent[]> {
  const all: SessionEvent[] = [];
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- The next batch follows the one before.
    const { events } = await session.events(all.at(-1)?.seq ?? 0, 20_000);
    all.push(...events);
    const end = all.findIndex((event) => event.type === "turn_end" && event.turnId === turnId);
    if (end !== -1) return all.slice(0, end + 1);
  }
}

function textOf(events: readonly SessionEvent[]): string {
  return events.map((event) => (event.type === "text" ? event.delta : "")).join("");
}

/** A session that begins to speak when it is told to; its last word is an error where it is asked for one. */
async function speaking(go: Gate): Promise<SessionWorld> {
  return await SessionWorld.start(async ({ prompt, until, say }) => {
    await until(go.opened);
    for (const text of SAID) {
      say(text);
      // oxlint-disable-next-line no-await-in-loop -- Each is an event of its own.
      await new Promise(setImmediate);
    }
    if (prompt === "fail") throw new Error("over");
    return "done";
  });
}

describe("readers of one turn", () => {
  test("[session.case-23] [session.case-33] that read at the same time each get every event: none is split between them", async () => {
    const go = new Gate();
    await using at = await speaking(go);
    const { turnId } = await at.session.send("go");
    const readers = Array.from({ length: 20 }, () => readAll(at.session, turnId));
    await at.client.peer.request("ping", {});
    go.open();
    const [first = [], ...others] = await Promise.all(readers);
    expect(first.map(({ seq }) => seq)).toEqual(first.map((_, index) => index + 1));
    expect(textOf(first)).toBe(SAID.join(""));
    for (const other of others) expect(other).toEqual(first);
  });

  test("[session.case-23] each hear of the turn's error", async () => {
    const go = new Gate();
    await using at = await speaking(go);
    const { turnId } = await at.session.send("fail");
    const readers = Array.from({ length: 3 }, () => readAll(at.session, turnId));
    go.open();
    for (const events of await Promise.all(readers)) {
      expect(events.filter(({ type }) => type === "error")).toMatchObject([
        { turnId, error: { code: "INTERNAL" } },
      ]);
      expect(events.at(-1)).toMatchObject({ type: "turn_end", result: { stopReason: "error" } });
    }
  });

  test("[session.case-22] that don't read hold up nothing, and get all of it later", async () => {
    const go = new Gate();
    await using at = await speaking(go);
    const { turnId } = await at.session.send("go");
    // One that takes the first batch and never comes again.
    await at.session.events();
    go.open();
    const { sessionId } = at.session;
    const idle = at.client.peer.request("session.waitForIdle", { sessionId });
    await expect(idle).resolves.toEqual({ idle: true });
    const all = await readAll(at.session, turnId);
    const later = await at.session.events(5);
    expect(later.events.slice(0, all.length - 5)).toEqual(all.slice(5));
    expect(textOf(all)).toBe(SAID.join(""));
  });
});
