import {
  badRequest,
  drop,
  endEarly,
  FakeModelServer,
  Gate,
  hang,
  type HttpFault,
  httpBody,
  malformed,
  otherwise,
  overloaded,
  pause,
  rateLimit,
  rawToolCall,
  reset,
  script,
  serverError,
  streamError,
  text,
  thinking,
  toolCall,
  truncate,
  unauthorized,
  unavailable,
  when,
} from "@agentos/fake-model";
import { describe, expect, test } from "vitest";

import { TestHost } from "../test-host.ts";
import { KEY, PROVIDERS, TestAgent } from "./api-fixture.ts";

const always = (fault: HttpFault) => script([otherwise().fail(fault)]);

const FAILURES = [
  serverError(),
  overloaded(),
  unavailable(),
  reset(),
  httpBody(200, "text/html", "<p>"),
];

const BREAKS = [
  ["a cut connection", [drop()]],
  ["an event that is no JSON", [malformed()]],
  ["an event cut in two", [truncate(), text(["gone"])]],
  ["an end without the last events", [endEarly()]],
  ["the provider's own error", [streamError("overloaded")]],
] as const;

describe.for(PROVIDERS)("a failing $name", (provider) => {
  test.for([
    [unauthorized(`the key ${KEY} is not known`), 401],
    [badRequest(), 400],
    [{ ...badRequest(), kind: "permission" as const }, 403],
  ] as const)(
    "%# a refusal is told at once, with its status and without the key",
    async ([fault, status]) => {
      await using server = await FakeModelServer.start({ script: always(fault) });
      const host = await TestHost.start();
      await using agent = await TestAgent.open({ url: server.url, host, provider });
      const { stopReason, text: said, error } = await agent.prompt("Hi.");
      expect({ stopReason, said }).toEqual({ stopReason: "error", said: "" });
      expect(error).toMatchObject({
        code: "PROVIDER_REFUSED",
        retryable: false,
        details: { provider: provider.name, status },
      });
      expect(server.journal.entries).toHaveLength(1);
      expect(JSON.stringify([error?.message, error?.details])).not.toContain(KEY);
    },
  );

  test.for(FAILURES)(
    "[api.case-28] %# a failure is a failure, never an empty success",
    async (fault) => {
      await using server = await FakeModelServer.start({ script: always(fault) });
      const host = await TestHost.start();
      await using agent = await TestAgent.open({ url: server.url, host, provider });
      const { stopReason, error } = await agent.prompt("Hi.");
      expect(stopReason).toBe("error");
      expect(error).toMatchObject({ code: "PROVIDER_FAILED", retryable: true });
      expect(server.journal.entries).toHaveLength(1);
    },
  );

  test("[api.case-68] an exhausted limit says when it is there again", async () => {
    const resetAt = new Date(Date.now() + 90_000);
    await using server = await FakeModelServer.start({
      script: always(rateLimit({ retryAfterSeconds: 90, resetAt })),
    });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    const { stopReason, error } = await agent.prompt("Hi.");
    expect(stopReason).toBe("rate_limit");
    expect(error).toMatchObject({ code: "RATE_LIMITED", retryable: true });
    const [event] = host.of("rate_limit");
    expect(event).toMatchObject({ attempt: 1, hard: true });
    const toldMs = Date.parse(event?.resetAt ?? "");
    expect(Math.abs(toldMs - resetAt.getTime())).toBeLessThan(60_000);
    expect(error?.details).toMatchObject({ resetAt: event?.resetAt });
    expect(server.journal.entries).toHaveLength(1);
  });

  test("a short limit is waited for, and told as one that the turn survives", async () => {
    const resetAt = new Date();
    await using server = await FakeModelServer.start({
      script: script([
        when(() => true)
          .times(2)
          .fail(rateLimit({ retryAfterSeconds: 0, resetAt })),
        otherwise().reply(text("Back.")),
      ]),
    });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    await expect(agent.prompt("Hi.")).resolves.toEqual({ stopReason: "end_turn", text: "Back." });
    expect(host.of("rate_limit").map(({ attempt, hard }) => [attempt, hard])).toEqual([
      [1, false],
      [2, false],
    ]);
  });

  test.for(BREAKS)(
    "[api.case-28] %s in the middle is a failure, and the next try goes on from the last step",
    async ([_name, fault]) => {
      const gate = new Gate();
      await using server = await FakeModelServer.start({
        script: script([
          when(({ step }) => step === 0).reply([text("Looking. "), toolCall("look", {})]),
          otherwise()
            .times(1)
            .reply([text("Half of"), pause(gate), ...fault]),
          otherwise().reply(({ calls }) => text(`Half of ${calls.length} seen.`)),
        ]),
      });
      const host = await TestHost.start({ tools: { look: () => "seen" } });
      await using agent = await TestAgent.open({ url: server.url, host, provider });
      const running = agent.prompt("Look.");
      await gate.reached();
      await expect.poll(() => host.told("text")).toContain("Half of");
      gate.open();
      const first = await running;
      expect(first).toMatchObject({ stopReason: "error", error: { code: "PROVIDER_FAILED" } });
      const second = await agent.prompt("Look.", { attempt: 1 });
      expect(second).toEqual({ stopReason: "end_turn", text: "Half of 1 seen." });
      // The tool was not run again, and the prompt was not given again.
      expect(host.calls).toHaveLength(1);
      const last = server.journal.entries.at(-1)?.request;
      expect(last).toMatchObject({ turn: 0, step: 1 });
    },
  );

  test("a server that never answers is left when the turn ends", async () => {
    await using server = await FakeModelServer.start({ script: always(hang()) });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    const abort = new AbortController();
    const running = agent.prompt("Hi.", { signal: abort.signal });
    await expect.poll(() => server.journal.entries.length).toBe(1);
    abort.abort();
    await expect(running).resolves.toEqual({ stopReason: "cancelled", text: "" });
    await server.journal.next(({ outcome }) => outcome === "aborted");
  });

  test("arguments that are no JSON go back to the model as an error, and the tool is not run", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(({ step }) => step === 0).reply([
          rawToolCall("look", '{"at": '),
          toolCall("look", {}),
        ]),
        otherwise().reply(({ newResults }) => text(JSON.stringify(newResults))),
      ]),
    });
    const host = await TestHost.start({ tools: { look: () => "seen" } });
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    const result = await agent.prompt("Look.");
    expect(host.calls).toHaveLength(1);
    expect(result).toMatchObject({ stopReason: "end_turn", text: expect.stringContaining("seen") });
  });
});

describe("a model that gives nothing of use", () => {
  const silent = script([otherwise().reply(thinking("Hm."))]);
  const wrong = script([otherwise().reply(toolCall("nobody_has_it", {}))]);

  test.for([
    ["three unusable answers", wrong, {}, 3],
    ["as many unusable ones as is said", wrong, { badSteps: 5 }, 5],
    ["as many empty ones as is said", silent, { emptySteps: 4 }, 4],
  ] as const)(
    "[session.case-29] is stopped after %s in a row",
    async ([_name, answers, runtime, count]) => {
      await using server = await FakeModelServer.start({ script: answers });
      const host = await TestHost.start({ tools: { look: () => "seen" } });
      await using agent = await TestAgent.open({ url: server.url, host, runtime });
      const { stopReason, error } = await agent.prompt("Hi.");
      expect({ stopReason, code: error?.code }).toEqual({
        stopReason: "error",
        code: "PROTOCOL_ERROR",
      });
      expect(host.used).toHaveLength(count);
    },
  );

  test.for([
    ["badSteps", toolCall("nobody_has_it", {})],
    ["emptySteps", thinking("Hm.")],
  ] as const)("[session.case-29] 0 lets it go on: %s", async ([name, part]) => {
    await using server = await FakeModelServer.start({
      script: script([otherwise().times(12).reply(part), otherwise().reply(text("At last."))]),
    });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, runtime: { [name]: 0 } });
    await expect(agent.prompt("Hi.")).resolves.toMatchObject({ text: "At last." });
    expect(host.used).toHaveLength(13);
  });

  test("[session.case-29] a good answer between bad ones begins the count anew", async () => {
    const bad = toolCall("nobody_has_it", {});
    await using server = await FakeModelServer.start({
      script: script([
        otherwise().times(2).reply(bad),
        otherwise().times(1).reply(toolCall("look", {})),
        otherwise().times(2).reply(bad),
        otherwise().reply(text("Done.")),
      ]),
    });
    const host = await TestHost.start({ tools: { look: () => "seen" } });
    await using agent = await TestAgent.open({ url: server.url, host });
    await expect(agent.prompt("Hi.")).resolves.toMatchObject({ text: "Done." });
  });
});
