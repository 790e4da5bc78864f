import type { HostTool, RequestAnswer, SessionSpec } from "@agentos/protocol";
import { expect, test, vi } from "vitest";

import { openTools } from "../../src/index.ts";
import { type Answer, callOf, contextOf, fakeVm, textOf, turnOf } from "../fixture.ts";

const ADD: HostTool = {
  name: "add",
  description: "Adds.",
  inputSchema: {
    type: "object",
    properties: { a: { type: "number" }, b: { type: "number" } },
    required: ["a", "b"],
  },
  crossesBorder: false,
};
const SEND: HostTool = {
  name: "send_mail",
  description: "Sends.",
  inputSchema: { type: "object" },
};
const allowed = { kind: "permission", decision: "allow" } as const satisfies RequestAnswer;

const live = { signal: new AbortController().signal };

test("[session.case-56] an unknown tool is a failed result that says so", async () => {
  const desk = await openTools(contextOf({ vm: await fakeVm() }), live);
  const result = await desk.call(callOf("nope", {}), turnOf());
  expect(result).toMatchObject({ outcome: "failed", name: "nope" });
  expect(textOf(result)).toBe("Unknown tool: 'nope'");
});

test("[session.case-56] one failing call of a batch leaves the others, and results have their calls' ids", async () => {
  const desk = await openTools(contextOf({ vm: await fakeVm() }), live);
  const calls = [
    callOf("create_file", { path: "a.txt", content: "a" }),
    callOf("view_file", { path: "missing.txt" }),
    callOf("create_file", { path: "b/c.txt", content: "c" }),
  ];
  const results = await Promise.all(calls.map((call) => desk.call(call, turnOf())));
  expect(results.map(({ outcome }) => outcome)).toStrictEqual(["ok", "failed", "ok"]);
  expect(results.map(({ callId }) => callId)).toStrictEqual(calls.map(({ callId }) => callId));
});

test("[session.case-57] two tools of one name are refused", async () => {
  const twice: Partial<SessionSpec> = { tools: [{ ...ADD, name: "view_file" }] };
  await expect(
    openTools(contextOf({ vm: await fakeVm(), spec: twice }), live),
  ).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("view_file"),
  });
});

test("[session.case-55] enabled and disabled tools together are refused, and unknown names", async () => {
  const vm = await fakeVm();
  const open = (capabilities: SessionSpec["capabilities"]) =>
    openTools(contextOf({ vm, spec: { capabilities } }), live);
  await expect(open({ enabledTools: ["view_file"], disabledTools: [] })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  await expect(open({ disabledTools: ["vjew_file"] })).rejects.toThrow("vjew_file");
  const names = (await open({ enabledTools: ["view_file"] })).tools.map(({ name }) => name);
  expect(names).toStrictEqual(["view_file"]);
});

test("[session.case-58] the tools are listed with where they come from", async () => {
  const context = contextOf({ vm: await fakeVm(), spec: { tools: [ADD] } });
  const desk = await openTools(context, live);
  const sources = Object.fromEntries(desk.tools.map(({ name, source }) => [name, source]));
  expect(sources).toMatchObject({ view_file: "builtin", run_command: "builtin", add: "host" });
  expect(desk.tools.find(({ name }) => name === "edit_file")?.inputSchema).toMatchObject({
    type: "object",
    required: ["path", "old_text", "new_text"],
  });
});

test("a host tool gets its checked input and its answer is the result", async () => {
  const asked = vi.fn<Answer>(() => ({
    kind: "tool",
    isError: false,
    content: [{ type: "text", text: "3" }],
  }));
  const context = contextOf({
    vm: await fakeVm(),
    spec: { tools: [ADD] },
    functions: { "tool:add": asked },
  });
  const desk = await openTools(context, live);
  expect(textOf(await desk.call(callOf("add", { a: 1, b: 2 }), turnOf()))).toBe("3");
  const wrong = await desk.call(callOf("add", { a: "1" }), turnOf());
  expect(wrong).toMatchObject({ outcome: "failed" });
  expect(asked).toHaveBeenCalledTimes(1);
});

test("a host tool that throws, or that nobody has, is a failed result", async () => {
  const context = contextOf({
    vm: await fakeVm(),
    spec: { tools: [ADD, { ...ADD, name: "gone" }] },
    functions: {
      "tool:add": () => {
        throw new Error("secret of the client");
      },
    },
  });
  const desk = await openTools(context, live);
  const thrown = await desk.call(callOf("add", { a: 1, b: 2 }), turnOf());
  expect(thrown.outcome).toBe("failed");
  expect(textOf(thrown)).not.toContain("secret");
  expect((await desk.call(callOf("gone", { a: 1, b: 2 }), turnOf())).outcome).toBe("failed");
});

test.each([{ type: "string" }, {}, { type: "object", properties: { a: { type: "thing" } } }])(
  "a tool with the malformed schema %j is refused when the session opens",
  async (inputSchema) => {
    const context = contextOf({ vm: await fakeVm(), spec: { tools: [{ ...ADD, inputSchema }] } });
    await expect(openTools(context, live)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  },
);

test("[session.case-42] a tool that a hook denies never runs, and its message is the result", async () => {
  const asked = vi.fn<Answer>();
  const context = contextOf({
    vm: await fakeVm(),
    spec: { tools: [ADD], hooks: [{ point: "pre_tool_call", callback: "no" }] },
    functions: {
      no: () => ({ kind: "hook", allow: false, message: "not today" }),
      "tool:add": asked,
    },
  });
  const desk = await openTools(context, live);
  const result = await desk.call(callOf("add", { a: 1, b: 2 }), turnOf());
  expect(result.outcome).toBe("denied");
  expect(textOf(result)).toBe("not today");
  expect(asked).not.toHaveBeenCalled();
});

test("[session.case-46] on_tool_error replaces the text, and the result stays an error", async () => {
  const context = contextOf({
    vm: await fakeVm(),
    spec: {
      hooks: [
        { point: "tool_error", callback: "broken" },
        { point: "tool_error", callback: "kind" },
      ],
    },
    functions: {
      broken: () => {
        throw new Error("hook");
      },
      kind: () => ({ kind: "hook", message: "try another path" }),
    },
  });
  const desk = await openTools(context, live);
  const result = await desk.call(callOf("view_file", { path: "missing" }), turnOf());
  expect(result.outcome).toBe("failed");
  expect(textOf(result)).toBe("try another path");
});

test("what crosses the border asks by default, and nobody to ask is a denial", async () => {
  const context = contextOf({ vm: await fakeVm(), spec: { tools: [SEND] } });
  const desk = await openTools(context, live);
  const result = await desk.call(callOf("send_mail", {}), turnOf());
  expect(result.outcome).toBe("denied");
  expect(textOf(result)).toContain("nobody is there to be asked");
});

test("a permission is for the exact call, and may be for the rest of the session", async () => {
  const answers: RequestAnswer[] = [allowed, { ...allowed, remember: "session" }];
  const context = contextOf({
    vm: await fakeVm(),
    spec: { tools: [SEND], asks: "wait" },
    functions: { "tool:send_mail": () => ({ kind: "tool", isError: false, content: [] }) },
    answer: () => answers.shift() ?? { kind: "permission", decision: "deny" },
  });
  const desk = await openTools(context, live);
  const send = async (to: string) =>
    (await desk.call(callOf("send_mail", { to }), turnOf())).outcome;
  expect([await send("a"), await send("b"), await send("c")]).toStrictEqual(["ok", "ok", "ok"]);
  const digests = context.requested.flatMap((request) =>
    request.kind === "permission" ? [request.digest] : [],
  );
  expect(new Set(digests).size).toBe(2);
});

test("an answer that changes the input goes through the workspaces again", async () => {
  const vm = await fakeVm();
  const context = contextOf({
    vm,
    spec: {
      asks: "wait",
      policy: {
        rules: [{ tool: "create_file", decision: "ask" }],
        workspaceOnly: ["/workspace"],
        otherwise: "deny",
      },
    },
    answer: () => ({ ...allowed, input: { path: "/tmp/elsewhere" } }),
  });
  const desk = await openTools(context, live);
  const call = callOf("create_file", { path: "/workspace/a", content: "x" });
  expect((await desk.call(call, turnOf())).outcome).toBe("denied");
  await expect(vm.files.stat("/tmp/elsewhere")).rejects.toMatchObject({ code: "FILE_SYSTEM" });
});

test("[session.sem-7] the workspaces hold where everything else is allowed", async () => {
  const context = contextOf({
    vm: await fakeVm(),
    spec: {
      policy: {
        rules: [{ tool: "*", decision: "allow" }],
        workspaceOnly: ["/workspace"],
        otherwise: "deny",
      },
    },
  });
  const desk = await openTools(context, live);
  const write = (path: string) =>
    desk.call(callOf("create_file", { path, content: "x" }), turnOf());
  expect((await write("../tmp/x")).outcome).toBe("denied");
  expect((await write("ok.txt")).outcome).toBe("ok");
});

test("[session.sem-7] what no rule of a given policy matches is denied", async () => {
  const context = contextOf({
    vm: await fakeVm(),
    spec: { policy: { rules: [{ tool: "list_directory", decision: "allow" }], otherwise: "deny" } },
  });
  const desk = await openTools(context, live);
  expect((await desk.call(callOf("list_directory", {}), turnOf())).outcome).toBe("ok");
  expect((await desk.call(callOf("view_file", { path: "x" }), turnOf())).outcome).toBe("denied");
});

test("writing to what the host mounted, and any command there, crosses the border", async () => {
  const vm = await fakeVm();
  vm.files.tree.makeDirectories("/mnt/project");
  const context = contextOf({ vm, hostMounts: [{ target: "/mnt/project", readOnly: false }] });
  const desk = await openTools(context, live);
  const outcome = async (name: string, input: Record<string, string>) =>
    (await desk.call(callOf(name, input), turnOf())).outcome;
  expect(await outcome("create_file", { path: "/mnt/project/x", content: "" })).toBe("denied");
  expect(await outcome("create_file", { path: "/workspace/x", content: "" })).toBe("ok");
  expect(await outcome("list_directory", { path: "/mnt/project" })).toBe("ok");
  expect(await outcome("run_command", { command: "true" })).toBe("denied");
});

test.each([true, false])(
  "[session.case-92] run_command's confirmation decides: %s",
  async (allow) => {
    const context = contextOf({
      vm: await fakeVm(),
      spec: {
        policy: {
          rules: [
            { tool: "run_command", decision: "ask", handler: "confirm" },
            { tool: "*", decision: "allow" },
          ],
          otherwise: "deny",
        },
      },
      functions: { confirm: () => ({ kind: "handler", allow }) },
    });
    const desk = await openTools(context, live);
    const result = await desk.call(callOf("run_command", { command: "echo hi" }), turnOf());
    expect(result.outcome).toBe(allow ? "ok" : "denied");
  },
);

test("[session.case-48] a question goes to the hooks, then to the user, and nobody is unanswered", async () => {
  const vm = await fakeVm();
  const question = callOf("ask_question", { questions: [{ question: "Tea?", options: ["yes"] }] });
  const nobody = await openTools(contextOf({ vm }), live);
  expect(textOf(await nobody.call(question, turnOf()))).toContain("unanswered");
  const answer: RequestAnswer = { kind: "question", responses: [{ selectedOptionIds: ["1"] }] };
  const user = await openTools(
    contextOf({ vm, spec: { asks: "wait" }, answer: () => answer }),
    live,
  );
  expect(textOf(await user.call(question, turnOf()))).toBe("Tea? yes");
  const hooked = contextOf({
    vm,
    spec: { hooks: [{ point: "interaction", callback: "answer" }] },
    functions: { answer: () => ({ kind: "hook", answer }) },
  });
  const desk = await openTools(hooked, live);
  const again = await desk.call({ ...question, callId: "again" }, turnOf());
  expect([textOf(await desk.call(question, turnOf())), textOf(again)]).toStrictEqual([
    "Tea? yes",
    "Tea? yes",
  ]);
});

test("a cancelled turn's call rejects as cancelled", async () => {
  const desk = await openTools(contextOf({ vm: await fakeVm() }), live);
  const turn = new AbortController();
  const call = desk.call(
    callOf("run_command", { command: "sleep 1" }),
    turnOf({ signal: turn.signal }),
  );
  turn.abort(new Error("stop"));
  await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
});

test("an agent's own tool goes through the same gate", async () => {
  const context = contextOf({
    vm: await fakeVm(),
    spec: {
      policy: {
        rules: [
          { tool: "Bash", decision: "deny", reason: "no shell" },
          { tool: "*", decision: "allow" },
        ],
        workspaceOnly: ["/workspace"],
        otherwise: "deny",
      },
    },
  });
  const desk = await openTools({ ...context, builtinTools: false }, live);
  expect(desk.tools).toStrictEqual([]);
  expect(await desk.authorize(callOf("Bash", { command: "ls" }), turnOf())).toMatchObject({
    allow: false,
    message: "no shell",
  });
  const edit = { ...callOf("Edit", {}), path: "/etc/passwd" };
  expect(await desk.authorize(edit, turnOf())).toMatchObject({ allow: false });
  expect(await desk.authorize({ ...edit, path: "/workspace/x" }, turnOf())).toMatchObject({
    allow: true,
  });
});

test("[session.case-51] a rule that asks without anybody to ask is refused", async () => {
  const vm = await fakeVm();
  const rules = [{ tool: "run_command", decision: "ask" as const }];
  const open = (spec: Partial<SessionSpec>) => openTools(contextOf({ vm, spec }), live);
  const policy = { rules, otherwise: "deny" as const };
  await expect(open({ policy })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("run_command"),
  });
  await expect(open({ policy, asks: "wait" })).resolves.toBeDefined();
});

test("[session.case-51] a rule for an MCP server that is not there is refused", async () => {
  const vm = await fakeVm();
  const rules = [{ tool: "math/*", decision: "allow" as const }];
  const policy = { rules, otherwise: "deny" as const };
  await expect(openTools(contextOf({ vm, spec: { policy } }), live)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("math/*"),
  });
});
