import { describe, expect, test } from "vitest";

import { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

describe("triggers", () => {
  test("[session.triggers] [session.case-62] interval, schedule and changed files each prompt by themselves, until the session is closed", async () => {
    await using at = await SessionWorld.start(undefined, {
      spec: {
        triggers: [
          { kind: "interval", everyMs: 100_000_000, prompt: "tick" },
          { kind: "schedule", cron: "* * * * *", prompt: "bell" },
          { kind: "file_change", path: "/workspace", prompt: "changed: {changes}" },
        ],
      },
    });
    const { tree } = at.world.driver.vm(at.session.scope.vmId).files;
    const until = async (text: string): Promise<void> => {
      await expect
        .poll(() => {
          at.world.clock.advance(1_000);
          return at.runtime.prompts.map(({ content }) => content);
        })
        .toContain(text);
    };
    await at.client.peer.request("ping", {});
    at.world.clock.advance(1_000);
    await at.client.peer.request("ping", {});
    tree.writeText("/workspace/new.txt", "text");
    await until("changed: /workspace/new.txt");
    at.world.clock.advance(61_000);
    await until("bell");
    at.world.clock.advance(100_000_000);
    await until("tick");
    await expect(at.session.find(({ type }) => type === "turn_start")).resolves.toMatchObject({
      source: "trigger",
    });
    await at.client.peer.request("session.close", at.session.ref);
    const { length } = at.runtime.prompts;
    at.world.clock.advance(200_000_000);
    await at.client.peer.request("ping", {});
    expect(at.runtime.prompts).toHaveLength(length);
  });

  test("[session.case-62] one whose function fails leaves the others, and one that says nothing prompts nothing", async () => {
    await using at = await SessionWorld.start(undefined, {
      spec: {
        triggers: [
          { kind: "interval", everyMs: 1_000, callback: "broken" },
          { kind: "interval", everyMs: 1_000, callback: "silent" },
          { kind: "interval", everyMs: 1_000, callback: "speaks" },
        ],
      },
    });
    at.client.onCallback = async ({ callback }) => {
      if (callback === "broken") throw new Error("out of order");
      return { kind: "trigger", ...(callback === "speaks" ? { prompt: "hi" } : {}) };
    };
    const callbacks = ["broken", "silent", "speaks"];
    await at.client.peer.request("session.handle", { ...at.session.ref, callbacks });
    await expect
      .poll(() => {
        at.world.clock.advance(1_000);
        return at.runtime.prompts.length;
      })
      .toBeGreaterThan(1);
    expect(new Set(at.runtime.prompts.map(({ content }) => content))).toEqual(new Set(["hi"]));
    await expect(at.session.find(({ type }) => type === "notice")).resolves.toMatchObject({
      message: expect.stringContaining("broken"),
    });
  });

  test("[session.case-62] what can't be a trigger is refused", async () => {
    await using at = await SessionWorld.start();
    const open = (trigger: object) =>
      SessionClient.createIn(at.client, at.session.scope, { triggers: [trigger] } as object);
    for (const trigger of [
      { kind: "interval", everyMs: 999, prompt: "hi" },
      { kind: "interval", everyMs: 1_000 },
      { kind: "interval", everyMs: 1_000, prompt: " " },
      { kind: "file_change", path: "relative", prompt: "hi" },
      { kind: "file_change", path: "/workspace/../etc", prompt: "hi" },
      { kind: "file_change", path: "/workspace", prompt: "" },
      { kind: "schedule", cron: "* * * * * *", prompt: "hi" },
      { kind: "schedule", cron: "whenever", prompt: "hi" },
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(open(trigger)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });
});

describe("skills", () => {
  test("[session.skills] each is announced by its name, description and place; one that says neither is refused", async () => {
    await using at = await SessionWorld.start();
    const { tree } = at.world.driver.vm(at.session.scope.vmId).files;
    tree.makeDirectories("/skills/pdf");
    tree.makeDirectories("/skills/bare");
    tree.writeText(
      "/skills/pdf/SKILL.md",
      '---\nname: pdf\ndescription: "Reads: PDFs"\n---\nDo it.\n',
    );
    tree.writeText("/skills/bare/SKILL.md", "Do it.\n");
    await SessionClient.createIn(at.client, at.session.scope, { skills: ["/skills/pdf"] });
    expect(at.runtime.opened.at(-1)?.announcements.join("\n")).toContain(
      "- pdf (/skills/pdf/SKILL.md): Reads: PDFs",
    );
    for (const path of ["/skills/bare", "/skills/none"]) {
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(
        SessionClient.createIn(at.client, at.session.scope, { skills: [path] }),
      ).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { argument: "session.skills" },
      });
    }
  });
});
