import { defineTool } from "@agentos/client";
import { expect, test } from "vitest";
import * as z from "zod";

import { SessionWorld } from "./session-world.ts";

const MIB = 1024 * 1024;
const PARROT = ["parrot"];

function tool(name: string, run: () => unknown) {
  return defineTool({
    name,
    description: "d",
    input: z.object({}),
    crossesBorder: false,
    run: () => String(run()),
  });
}

test("[bad.session] what can't be is refused with a typed error, and no session is left", async () => {
  await using world = await SessionWorld.start();
  const twin = tool("twin", () => "");
  const helperWith = (own: ReturnType<typeof tool>) => ({ description: "helps", tools: [own] });
  const refused = [
    [{ runtime: "parrot" }, "UNKNOWN_RUNTIME"],
    [{ tools: [twin, twin] }, "INVALID_ARGUMENT"],
    [
      { tools: [twin], agents: { helper: helperWith(tool("twin", () => "another")) } },
      "INVALID_ARGUMENT",
    ],
    [{ outputSchema: { type: "parrot" } }, "INVALID_ARGUMENT"],
    [{ outputSchema: { type: "string" } }, "INVALID_ARGUMENT"],
    [{ capabilities: { enabledTools: PARROT } }, "INVALID_ARGUMENT"],
    [{ budget: { usd: -1 } }, "INVALID_ARGUMENT"],
    [{ skills: ["/nowhere"] }, "INVALID_ARGUMENT"],
    [{ resume: "nowhere" }, "RESUME_LOST"],
    [{ mcpServers: { none: { command: "nonesuch" } } }, "COMMAND_NOT_FOUND"],
  ] as const;
  for (const [options, code] of refused) {
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    await expect(world.session(undefined, options)).rejects.toMatchObject({ code });
  }
  expect(await world.os.sessions.list()).toEqual([]);
  await expect(world.os.sessions.get("nowhere")).rejects.toMatchObject({
    code: "NOT_FOUND",
    details: { kind: "session", id: "nowhere" },
  });
});

test("[bad.session] what a session does not take leaves it as it was", async () => {
  await using world = await SessionWorld.start();
  const session = await world.session();
  for (const content of ["", " \n", []]) {
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    await expect(Promise.resolve(session.prompt(content))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  }
  const answer = { kind: "permission", decision: "allow" } as const;
  await expect(session.respond("nowhere", answer)).rejects.toMatchObject({
    code: "NOT_FOUND",
    details: { kind: "request", id: "nowhere" },
  });
  expect(await session.info()).toMatchObject({ state: "idle", turns: 0, queued: 0 });
  expect(await session.prompt("hi").text()).toBe("hi");
  await session.close();
  await expect(Promise.resolve(session.prompt("late"))).rejects.toMatchObject({
    code: "SESSION_CLOSED",
  });
});

test("[bad.session-result] a tool's result of 100 MB is an error that the agent sees, and all else goes on", async () => {
  await using world = await SessionWorld.start();
  const huge = tool("huge", () => "x".repeat(100 * MIB));
  await using session = await world.session(
    async ({ call }) => {
      const { outcome, content } = await call("huge");
      return `${outcome} ${JSON.stringify(content)}`;
    },
    { tools: [huge] },
  );
  const text = await session.prompt("go").text();
  expect(text).toMatch(/^failed .*at most 1048576 bytes/);
  expect(await session.prompt("again").text()).toBe(text);
  expect(await world.os.info()).toMatchObject({ vmId: world.os.id });
});
