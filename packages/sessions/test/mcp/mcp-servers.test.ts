import type { McpServer, SessionSpec } from "@agentos/protocol";
import { FakeClock, type FakeProgram, type FakeVm } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { openTools, type ToolDesk } from "../../src/index.ts";
import { callOf, contextOf, fakeVm, textOf, turnOf } from "../fixture.ts";
import { HttpWeather } from "./http-weather.ts";
import { weatherProgram } from "./weather-server.ts";

const policy: NonNullable<SessionSpec["policy"]> = {
  rules: [{ tool: "*", decision: "allow" }],
  otherwise: "deny",
};
const silent: FakeProgram = ({ ended }) =>
  new Promise((resolve) => ended.addEventListener("abort", () => resolve(0)));
const broken: FakeProgram = async ({ stderr }) => {
  await stderr("no such sky\n");
  return 3;
};

interface Opened {
  readonly vm: FakeVm;
  readonly clock: FakeClock;
  /** Starts the servers. */
  readonly open: (signal?: AbortSignal) => Promise<ToolDesk>;
}

async function world(mcpServers: Record<string, McpServer>): Promise<Opened> {
  const vm = await fakeVm({ programs: { weather: weatherProgram, silent, broken } });
  const clock = new FakeClock();
  const spec = { mcpServers, policy };
  const context = { ...contextOf({ vm, builtinTools: false, spec }), clock };
  return {
    vm,
    clock,
    open: (signal = new AbortController().signal) => openTools(context, { signal }),
  };
}

/** A server that does not care for its input's end is ended a moment later. */
async function settled(opening: Promise<unknown>, clock: FakeClock): Promise<void> {
  let isSettled = false;
  void Promise.allSettled([opening]).then(() => (isSettled = true));
  await expect
    .poll(() => {
      clock.advance(500);
      return isSettled;
    })
    .toBe(true);
}

/** One server, wherever it runs. */
async function eachKind(
  kind: string,
): Promise<AsyncDisposable & { spec: McpServer; crossesBorder: boolean }> {
  if (kind === "stdio") {
    const spec = { command: "weather" };
    return { spec, crossesBorder: false, [Symbol.asyncDispose]: async () => undefined };
  }
  const http = await HttpWeather.start();
  const spec = { url: http.url, headers: { "x-token": "t" } };
  return { spec, crossesBorder: true, [Symbol.asyncDispose]: () => http[Symbol.asyncDispose]() };
}

describe.for(["stdio", "http"])("an MCP server over %s", (kind) => {
  test("[session.case-59] brings its tools, and they are called", async () => {
    await using made = await eachKind(kind);
    const { open } = await world({ weather: made.spec });
    await using desk = await open();
    expect(desk.tools.map(({ name, server, source }) => [name, server, source])).toEqual([
      ["forecast", "weather", "mcp"],
      ["draw_map", "weather", "mcp"],
      ["storm", "weather", "mcp"],
      ["stay", "weather", "mcp"],
      ["leave", "weather", "mcp"],
    ]);
    expect(desk.tools[0]).toMatchObject({
      description: "Tomorrow's weather.",
      crossesBorder: made.crossesBorder,
      inputSchema: { type: "object", properties: { city: { type: "string" } } },
    });
    const good = await desk.call(callOf("forecast", { city: "Oslo" }, "weather"), turnOf());
    expect([good.outcome, textOf(good)]).toEqual(["ok", "rain in Oslo"]);
    const drawn = await desk.call(callOf("draw_map", {}, "weather"), turnOf());
    expect(drawn.content).toEqual([
      { type: "image", mediaType: "image/png", data: "aGk=" },
      { type: "text", text: "map://1:\na legend" },
    ]);
  });

  test("a tool that throws, or is asked for nonsense, is a failed result", async () => {
    await using made = await eachKind(kind);
    const { open } = await world({ weather: made.spec });
    await using desk = await open();
    const thrown = await desk.call(callOf("storm", {}, "weather"), turnOf());
    expect([thrown.outcome, textOf(thrown)]).toEqual(["failed", "the mast is broken"]);
    const wrong = await desk.call(callOf("forecast", { city: 3 }, "weather"), turnOf());
    expect(wrong.outcome).toBe("failed");
    const list = await desk.call(callOf("forecast", ["Oslo"], "weather"), turnOf());
    expect([list.outcome, textOf(list)]).toEqual(["failed", expect.stringContaining("forecast")]);
  });

  test("an enabled tool is the only one, a disabled one is not there", async () => {
    await using made = await eachKind(kind);
    const only = await world({ weather: { ...made.spec, enabledTools: ["draw.map"] } });
    await using one = await only.open();
    expect(one.tools.map(({ name }) => name)).toEqual(["draw_map"]);
    const but = await world({ weather: { ...made.spec, disabledTools: ["stay", "leave"] } });
    await using three = await but.open();
    expect(three.tools.map(({ name }) => name)).toEqual(["forecast", "draw_map", "storm"]);
  });

  test.for([
    [{ enabledTools: ["stay"], disabledTools: ["leave"] }, "both"],
    [{ enabledTools: ["sunshine"] }, "sunshine"],
  ] as const)("%# a choice of tools that can't be is refused", async ([choice, actual]) => {
    await using made = await eachKind(kind);
    const { open, vm } = await world({ weather: { ...made.spec, ...copyOf(choice) } });
    await expect(open()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { argument: "session.mcpServers.weather", actual },
    });
    expect(vm.running).toEqual([]);
  });

  test("a call that takes too long is a failed result, a cancelled one ends the call", async () => {
    await using made = await eachKind(kind);
    const { open } = await world({ weather: { ...made.spec, timeoutMs: 50 } });
    await using desk = await open();
    const late = await desk.call(callOf("stay", {}, "weather"), turnOf());
    expect([late.outcome, textOf(late)]).toEqual(["failed", expect.stringContaining("weather")]);
    const slow = await world({ weather: made.spec });
    await using patient = await slow.open();
    const abort = new AbortController();
    const call = patient.call(callOf("stay", {}, "weather"), turnOf({ signal: abort.signal }));
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
    const after = await patient.call(callOf("forecast", { city: "Rome" }, "weather"), turnOf());
    expect(textOf(after)).toBe("rain in Rome");
  });
});

describe("an MCP server that fails", () => {
  test("[session.case-59] one that does not start names itself, and nothing of the others is left", async () => {
    const { open, vm, clock } = await world({
      fine: { command: "weather" },
      lost: { command: "broken" },
      late: { command: "silent", startMs: 3_600_000 },
    });
    const opening = open();
    await settled(opening, clock);
    await expect(opening).rejects.toMatchObject({
      code: "AGENT_EXITED",
      message: expect.stringMatching(/MCP server lost .*exit code 3.*no such sky/),
      details: { exitCode: 3, stderr: ["no such sky"] },
    });
    expect(vm.running).toEqual([]);
  });

  test("one that never answers is given up at its time", async () => {
    const { open, vm, clock } = await world({ late: { command: "silent", startMs: 5_000 } });
    const opening = open();
    opening.catch(() => undefined);
    await expect.poll(() => vm.running.length).toBe(1);
    clock.advance(5_000);
    await settled(opening, clock);
    await expect(opening).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: expect.stringContaining("late"),
    });
    expect(vm.running).toEqual([]);
  });

  test("one that is not there, here or there, names itself", async () => {
    const none = await world({ nowhere: { command: "not-a-program" } });
    await expect(none.open()).rejects.toMatchObject({
      code: "COMMAND_NOT_FOUND",
      message: expect.stringContaining("nowhere"),
    });
    const far = await world({ nowhere: { url: "http://127.0.0.1:1/mcp" } });
    await expect(far.open()).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      message: expect.stringContaining("nowhere"),
    });
  });

  test("one that dies in the middle fails its calls by name, and leaves the others", async () => {
    const { open, vm } = await world({
      weather: { command: "weather" },
      other: { command: "weather" },
    });
    await using desk = await open();
    const dying = await desk.call(callOf("leave", {}, "weather"), turnOf());
    const gone = /MCP server weather is gone: exit code 7: struck by lightning/;
    expect([dying.outcome, textOf(dying)]).toEqual(["failed", expect.stringMatching(gone)]);
    const after = await desk.call(callOf("forecast", { city: "Rome" }, "weather"), turnOf());
    expect([after.outcome, textOf(after)]).toEqual(["failed", expect.stringMatching(gone)]);
    expect(vm.running).toHaveLength(1);
  });

  test("a start that is cancelled leaves nothing", async () => {
    const { open, vm, clock } = await world({ late: { command: "silent" } });
    const abort = new AbortController();
    const opening = open(abort.signal);
    opening.catch(() => undefined);
    await expect.poll(() => vm.running.length).toBe(1);
    abort.abort(new Error("enough"));
    await settled(opening, clock);
    await expect(opening).rejects.toThrow("enough");
    expect(vm.running).toEqual([]);
  });
});

test("an MCP server ends with its session, its headers went along, and two servers may have tools of one name", async () => {
  await using http = await HttpWeather.start();
  const { open, vm } = await world({
    here: { command: "weather" },
    there: { url: http.url, headers: { "x-token": "a-token" } },
  });
  const desk = await open();
  expect(desk.tools.filter(({ name }) => name === "forecast")).toHaveLength(2);
  expect(vm.running).toHaveLength(1);
  expect(new Set(http.headers)).toEqual(new Set(["a-token"]));
  await desk[Symbol.asyncDispose]();
  expect(vm.running).toEqual([]);
});

function copyOf(choice: {
  readonly enabledTools?: readonly string[];
  readonly disabledTools?: readonly string[];
}): Pick<McpServer, "enabledTools" | "disabledTools"> {
  const { enabledTools, disabledTools } = choice;
  return {
    ...(enabledTools === undefined ? {} : { enabledTools: [...enabledTools] }),
    ...(disabledTools === undefined ? {} : { disabledTools: [...disabledTools] }),
  };
}
