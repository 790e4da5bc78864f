import {
  type AgentOsError,
  ask,
  defineTool,
  isAgentOsError,
  type SessionEvent,
  type Turn,
} from "@agentos/client";
import {
  afterTools,
  type FakeModelServer,
  lastUserText,
  otherwise,
  pause,
  drop,
  Gate,
  rateLimit,
  reset,
  serverError,
  stall,
  text,
  toolCall,
  unauthorized,
  when,
} from "@agentos/fake-model";
import { expect } from "vitest";
import * as z from "zod";

import type { AgentCheck } from "./agent-under-test.ts";
import { NO_KEY } from "./canary.ts";
import { DEMO } from "./demo.ts";
import { REST, shellJob } from "./jobs.ts";
import { KILLED_SIDECAR } from "./killed-sidecar.ts";
import { MODES } from "./modes.ts";
import { NO_ORPHANS } from "./orphans.ts";

const RESET_SECONDS = 3600;

async function eventsOf(turn: Turn): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  for await (const event of turn) events.push(event);
  return events;
}

/** What a turn that is to fail fails with. */
async function failureOf(turn: Turn): Promise<AgentOsError> {
  const error: unknown = await Promise.resolve(turn).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!isAgentOsError(error)) throw new Error(`expected a failure, got ${String(error)}`);
  return error;
}

/** Bodies of model requests that were answered in the way of a turn. */
function lastRequest(server: FakeModelServer, said: RegExp) {
  return server.journal.entries.findLast(({ request }) => said.test(request?.lastUserText ?? ""));
}

export const AGENT_CHECKS: readonly AgentCheck[] = [
  {
    id: "job",
    title: "two turns, tool",
    async run({ agent, model, open }) {
      const server = await model(shellJob(agent, "echo seen-in-the-vm"));
      await using session = await open(server);
      const events = await eventsOf(session.prompt("SHELL JOB"));
      expect(events.at(-1)).toMatchObject({
        result: { stopReason: "end_turn", text: expect.stringContaining("seen-in-the-vm") },
      });
      expect(events).toContainEqual(
        expect.objectContaining({
          type: "tool_call",
          call: expect.objectContaining({ name: agent.shell.named }),
        }),
      );
      expect(events).toContainEqual(
        expect.objectContaining({
          type: "tool_result",
          result: expect.objectContaining({ outcome: "ok" }),
        }),
      );
      expect(events.some(({ type }) => type === "raw")).toBe(true);
      const second = await session.prompt("SECOND");
      expect(second.text).toContain("That was all.");
      const request = lastRequest(server, /SECOND/);
      expect(JSON.stringify(request?.request?.messages)).toContain("SHELL JOB");
      const { usage } = await session.info();
      expect(usage.total.outputTokens).toBeGreaterThan(0);
    },
  },
  {
    id: "host-tool",
    title: "host tool",
    async run({ model, open }) {
      const server = await model([
        when(afterTools("weather")).reply(({ newResults }) =>
          text(`It is ${newResults.at(-1)?.result.text}`),
        ),
        when(lastUserText(/WEATHER/)).reply(toolCall("weather", { city: "Oslo" })),
        REST,
      ]);
      const weather = defineTool({
        name: "weather",
        description: "The weather of a city.",
        input: z.object({ city: z.string() }),
        crossesBorder: false,
        run: ({ city }) => `sunny in ${city}`,
      });
      await using session = await open(server, { tools: [weather] });
      const { text: said } = await session.prompt("WEATHER please");
      expect(said).toMatch(/sunny in Oslo/);
    },
  },
  {
    id: "permission",
    title: "permission denied",
    async run({ agent, os, model, open }) {
      const server = await model(shellJob(agent, "touch /workspace/forbidden"));
      const asked: string[] = [];
      await using session = await open(server, {
        policies: [ask("*")],
        onRequest: (request) => {
          if (request.kind !== "permission") return undefined;
          asked.push(request.call.name);
          return { kind: "permission", decision: "deny", message: "not today" };
        },
      });
      const events = await eventsOf(session.prompt("SHELL JOB"));
      expect(asked).toContain(agent.shell.named);
      expect(events).toContainEqual(
        expect.objectContaining({
          type: "tool_result",
          result: expect.objectContaining({ outcome: "denied" }),
        }),
      );
      expect(events.at(-1)).toMatchObject({ result: { stopReason: "end_turn" } });
      expect(await os.fs.exists("/workspace/forbidden")).toBe(false);
      if (agent.hearsWhy !== false)
        expect(JSON.stringify(server.journal.entries.at(-1)?.body)).toContain("not today");
    },
  },
  {
    id: "cancel",
    title: "cancel",
    async run({ model, open }) {
      const server = await model([
        when(lastUserText(/SLOW/)).reply([text("slow begins "), stall()]),
        when(lastUserText(/NEXT/)).reply(text("next works")),
        REST,
      ]);
      await using session = await open(server);
      const turn = session.prompt("SLOW");
      const ended = Promise.resolve(turn).catch((error: unknown) => error);
      await server.journal.next(({ request }) => /SLOW/.test(request?.lastUserText ?? ""));
      await session.cancel();
      const result = await ended;
      expect(isAgentOsError(result) ? result.code : "CANCELLED").toBe("CANCELLED");
      expect((await session.prompt("NEXT")).text).toContain("next works");
    },
  },
  {
    id: "steer",
    title: "steer",
    async run({ agent, model, open }) {
      const server = await model([
        when(({ messages }) => JSON.stringify(messages).includes("STEERED")).reply(
          text("steered it is"),
        ),
        ...shellJob(agent, "sleep 3"),
      ]);
      await using session = await open(server);
      const turn = session.prompt("SHELL JOB");
      for await (const event of turn) {
        if (event.type === "tool_call")
          expect((await session.steer("STEERED")).turnId).not.toBeNull();
      }
      expect((await turn).text).toContain("steered it is");
      expect(await session.steer("nobody listens")).toEqual({ turnId: null });
    },
  },
  {
    id: "resume",
    title: "resume",
    async run({ model, open }) {
      const server = await model([
        when(lastUserText(/FIRST/)).reply(text("noted")),
        when(lastUserText(/AGAIN/)).reply(text("I remember")),
        REST,
      ]);
      const session = await open(server);
      await session.prompt("FIRST: the word is xylophone");
      await session.close();
      await using resumed = await open(server, { resume: session.id });
      expect((await resumed.prompt("AGAIN")).text).toContain("I remember");
      expect(JSON.stringify(lastRequest(server, /AGAIN/)?.request?.messages)).toContain(
        "xylophone",
      );
    },
  },
  {
    id: "fork",
    title: "fork",
    async run({ os, model, open }) {
      const server = await model([
        when(lastUserText(/FIRST/)).reply(text("noted")),
        when(lastUserText(/AGAIN/)).reply(text("I remember")),
        REST,
      ]);
      await using session = await open(server);
      await session.prompt("FIRST: the word is xylophone");
      const [vm] = await os.fork();
      if (vm === undefined) throw new Error("there is no fork");
      await using other = vm;
      await using forked = await other.sessions.fork(session);
      for (const each of [forked, session]) {
        // oxlint-disable-next-line no-await-in-loop -- One after the other.
        expect((await each.prompt(`AGAIN in ${each.id}`)).text).toContain("I remember");
        const request = lastRequest(server, new RegExp(each.id));
        expect(JSON.stringify(request?.request?.messages)).toContain("xylophone");
      }
    },
  },
  {
    id: "lost",
    title: "unknown session",
    async run({ agent, os, model, open }) {
      const server = await model([when(lastUserText(/ANEW/)).reply(text("from the start")), REST]);
      const session = await open(server);
      await session.prompt("FIRST");
      await session.close();
      await os.exec(`rm -rf ${agent.kept}`);
      const lost = await open(server, { resume: session.id }).then(
        async (opened) => {
          const error = await failureOf(opened.prompt("AGAIN"));
          await opened.close();
          return error.code;
        },
        (error: unknown) => (isAgentOsError(error) ? error.code : String(error)),
      );
      expect(lost).toBe("RESUME_LOST");
      await using anew = await open(server, {
        resume: { id: session.id, freshPrompt: "ANEW, with all that is needed" },
      });
      expect((await anew.prompt("only the rest")).text).toContain("from the start");
      expect(lastRequest(server, /only the rest/)).toBeUndefined();
    },
  },
  {
    id: "model",
    title: "model switch",
    async run({ agent, model, open }) {
      const server = await model([when(lastUserText(/AFTER/)).reply(text("switched")), REST]);
      await using session = await open(server);
      await session.prompt("FIRST");
      await session.setModel(agent.otherModel);
      expect((await session.prompt("AFTER")).text).toContain("switched");
      expect(lastRequest(server, /AFTER/)?.request?.model).toBe(agent.otherModel);
    },
  },
  MODES,
  {
    id: "compact",
    title: "compaction",
    async run({ model, open }) {
      const server = await model([
        when(lastUserText(/LATER/)).reply(text("still here")),
        otherwise().reply(text("a summary of it all")),
      ]);
      await using session = await open(server);
      await session.prompt("FIRST");
      await session.compact();
      expect((await session.info()).compactions.length).toBe(1);
      expect((await session.prompt("LATER")).text).toContain("still here");
    },
  },
  {
    id: "401",
    title: "401",
    async run({ model, open }) {
      const server = await model([otherwise().fail(unauthorized())]);
      await using session = await open(server);
      expect(await failureOf(session.prompt("GO"))).toMatchObject({
        code: "PROVIDER_REFUSED",
        details: { status: 401 },
      });
    },
  },
  {
    id: "429",
    title: "429 with reset",
    async run({ agent, model, open }) {
      const server = await model([
        otherwise().fail(rateLimit({ retryAfterSeconds: RESET_SECONDS })),
      ]);
      await using session = await open(server);
      const before = Date.now();
      const failure = await failureOf(session.prompt("GO"));
      if (!isAgentOsError(failure, "RATE_LIMITED")) throw failure;
      const resetAt = Date.parse(failure.details.resetAt ?? "");
      expect(resetAt).toBeGreaterThan(before + (RESET_SECONDS - 60) * 1000);
      const { rateLimits } = await session.info();
      // Gemini's API says nothing of them.
      expect(rateLimits.length > 0).toBe(agent.provider !== "gemini");
    },
  },
  {
    id: "500",
    title: "500",
    async run({ model, open }) {
      const server = await model([
        when(lastUserText(/WELL/)).reply(text("well again")),
        otherwise().fail(serverError()),
      ]);
      await using session = await open(server, { retries: 0 });
      expect(await failureOf(session.prompt("GO"))).toMatchObject({ code: "PROVIDER_FAILED" });
      expect((await session.prompt("WELL")).text).toContain("well again");
    },
  },
  {
    id: "drop",
    title: "drop in mid-stream",
    async run({ model, open }) {
      const seen = new Gate();
      const server = await model([
        when(lastUserText(/DROP/))
          .times(1)
          .reply([text("it begins "), pause(seen), drop()]),
        otherwise().reply(text("and it ends")),
      ]);
      await using session = await open(server, { retries: 2 });
      const turn = session.prompt("DROP");
      for await (const event of turn) if (event.type === "text") seen.open();
      expect((await turn).text).toContain("and it ends");
    },
  },
  {
    id: "reset",
    title: "connection reset",
    async run({ model, open }) {
      const server = await model([
        when(lastUserText(/RESET/)).times(1).fail(reset()),
        otherwise().reply(text("got through")),
      ]);
      await using session = await open(server, { retries: 2 });
      expect((await session.prompt("RESET")).text).toContain("got through");
    },
  },
  {
    id: "killed",
    title: "agent killed",
    async run(context) {
      const { os, agent, model, open } = context;
      const server = await model([
        when(lastUserText(/SLOW/)).reply([text("slow begins "), stall()]),
        when(lastUserText(/NEXT/)).reply(text("next works")),
        REST,
      ]);
      await using session = await open(server);
      const failed = failureOf(session.prompt("SLOW"));
      await server.journal.next(({ request }) => /SLOW/.test(request?.lastUserText ?? ""));
      const victims = (await os.processes()).filter(({ command }) => agent.process.test(command));
      await os.exec(["kill", "-9", ...victims.map(({ pid }) => String(pid))]);
      expect((await failed).code).toBe("AGENT_EXITED");
      expect((await session.prompt("NEXT")).text).toContain("next works");
    },
  },
  ...NO_ORPHANS,
  NO_KEY,
  ...KILLED_SIDECAR,
  DEMO,
];
