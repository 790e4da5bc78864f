import type { FakeProgram } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { SessionClient } from "./session-client.ts";
import type { TestSidecarOptions } from "../sidecar-harness.ts";
import { SessionWorld } from "./session-world.ts";

function field(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16LE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
}

/** A record of docs/watch-stream.md, of a file. */
function record(kind: "R" | "C" | "N" | "O", path = "", from = ""): Buffer {
  return Buffer.concat([Buffer.from(`${kind}f`), field(path), field(from)]);
}

/** A VM whose agent sees what the test says: each start of the watch plays the next of `lives`. */
function watched(...lives: FakeProgram[]): TestSidecarOptions {
  const watch: FakeProgram = async (context) => {
    const life = lives.shift();
    if (life !== undefined) return await life(context);
    await context.stderr("2 watch ");
    return 1;
  };
  return { fake: { programs: { watch } } };
}

const untilStopped: FakeProgram = async ({ ended }) => {
  const { promise, resolve } = Promise.withResolvers<number>();
  ended.addEventListener("abort", () => resolve(0), { once: true });
  return await promise;
};

const missing: FakeProgram = async ({ stderr }) => {
  await stderr("2 watch ");
  return 1;
};

const nonsense: FakeProgram = async ({ stdout }) => {
  await stdout(Buffer.from("?f\0\0\0\0"));
  return 0;
};

const there: FakeProgram = async (context) => {
  await context.stdout(record("R"));
  return await untilStopped(context);
};

const onWorkspace = (prompt: string) => ({
  triggers: [{ kind: "file_change" as const, path: "/workspace", prompt }],
});

/** Lets time pass until the agent was prompted with it. The prompts so far. */
async function prompted(at: SessionWorld, text: string): Promise<unknown[]> {
  await expect
    .poll(() => {
      at.world.clock.advance(500);
      return at.runtime.prompts.map(({ content }) => content);
    })
    .toContain(text);
  return at.runtime.prompts.splice(0).map(({ content }) => content);
}

describe("triggers", () => {
  test("[session.triggers] [session.case-62] interval, schedule and changed files each prompt by themselves, until the session is closed", async () => {
    const change = Promise.withResolvers<Buffer>();
    await using at = await SessionWorld.start(undefined, {
      spec: {
        triggers: [
          { kind: "interval", everyMs: 100_000_000, prompt: "tick" },
          { kind: "schedule", cron: "* * * * *", prompt: "bell" },
          { kind: "file_change", path: "/workspace", prompt: "changed: {changes}" },
        ],
      },
      sidecar: watched(async (context) => {
        await context.stdout(record("R"));
        await context.stdout(await change.promise);
        return await untilStopped(context);
      }),
    });
    change.resolve(
      Buffer.concat([record("C", "deep/new.txt"), record("N", "b", "a"), record("C", "b")]),
    );
    await prompted(at, "changed: /workspace/a, /workspace/b, /workspace/deep/new.txt");
    at.world.clock.advance(61_000);
    await prompted(at, "bell");
    at.world.clock.advance(100_000_000);
    await prompted(at, "tick");
    await expect(at.session.find(({ type }) => type === "turn_start")).resolves.toMatchObject({
      source: "trigger",
    });
    await at.client.peer.request("session.close", at.session.ref);
    expect(at.world.driver.vm(at.session.scope.vmId).running).toEqual([]);
    const { length } = at.runtime.prompts;
    at.world.clock.advance(200_000_000);
    await at.client.peer.request("ping", {});
    expect(at.runtime.prompts).toHaveLength(length);
  });

  test("[session.file-changes] what was not seen is told as the watched path", async () => {
    const many = Array.from({ length: 2_001 }, (_, at) => record("C", `${at}`));
    const steps = [[record("C", "one"), record("O")], many].map((step) => Buffer.concat(step));
    const told = Promise.withResolvers<void>();
    await using at = await SessionWorld.start(undefined, {
      spec: onWorkspace("changed: {changes}"),
      sidecar: watched(async (context) => {
        await context.stdout(record("R"));
        await context.stdout(steps[0] ?? "");
        await told.promise;
        await context.stdout(steps[1] ?? "");
        return await untilStopped(context);
      }),
    });
    expect(await prompted(at, "changed: /workspace")).toEqual(["changed: /workspace"]);
    told.resolve();
    expect(await prompted(at, "changed: /workspace")).toEqual(["changed: /workspace"]);
  });

  test("[session.file-changes] a path that is not there yet, or again, is watched once it is", async () => {
    await using at = await SessionWorld.start(undefined, {
      spec: onWorkspace("changed: {changes}"),
      sidecar: watched(missing, missing, nonsense, there),
    });
    await prompted(at, "changed: /workspace");
    await expect(at.session.find(({ type }) => type === "notice")).resolves.toMatchObject({
      message: expect.stringMatching(/a trigger \(file_change\) failed: the watch has/),
    });
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
