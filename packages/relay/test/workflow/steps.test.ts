import { describe, expect, test } from "vitest";

import { agent, aborted, shell, workflowOf, WorkflowWorld } from "./workflow-world.ts";

const REFUSED: [string, Parameters<typeof workflowOf>[0], RegExp][] = [
  ["a circle", [shell("x", "y"), shell("y", "x")], /x -> y -> x/],
  ["an unknown dependency", [shell("x", "gone")], /depends on gone/],
  ["a step twice", [shell("x"), shell("x")], /x is there twice/],
  ["an unknown agent", [{ name: "x", agent: "nobody", task: "t" }], /no agent nobody/],
  ["an unknown custom step", [{ name: "x", use: "nothing" }], /nothing defines nothing/],
  ["an unknown variable", [{ ...shell("x"), command: "echo {{gone}}" }], /\{\{gone\}\}/],
];

describe("steps", () => {
  test("[workflow.case-37] a diamond runs in order, its middle side by side", async () => {
    const world = new WorkflowWorld();
    const middle = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    world.onCommand = async (command) => {
      const index = ["run left", "run right"].indexOf(command);
      middle[index]?.resolve();
      // Neither goes on before both have begun.
      if (index !== -1) await Promise.all(middle.map(({ promise }) => promise));
      return { stdout: `${command}\n` };
    };
    const steps = [
      shell("last", "left", "right"),
      shell("left", "first"),
      shell("right", "first"),
      shell("first"),
    ];
    await expect(world.run(workflowOf(steps))).resolves.toMatchObject({
      status: "completed",
      steps: 4,
      finished: 4,
    });
    const started = world.story().filter((line) => line.startsWith("step_started"));
    expect(started[0]).toBe("step_started first");
    expect(started.at(-1)).toBe("step_started last");
    expect(world.story().slice(-2)).toEqual(["step_completed last", "run_completed"]);
    expect(world.events().map(({ seq }) => seq)).toEqual(
      world.events().map((_, index) => index + 1),
    );
    expect(world.held).toBe(0);
  });

  test.each(REFUSED)(
    "[workflow.case-37-refused] %s is refused, and nothing is stored",
    (_, steps, reason) => {
      const world = new WorkflowWorld();
      expect(() => world.start(workflowOf(steps))).toThrow(reason);
      expect(() => world.start(workflowOf(steps))).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
      expect(world.host.list("u", {})).toEqual([]);
      expect(world.held).toBe(0);
    },
  );

  test("[workflow.concurrency] no more run at once than may", async () => {
    const world = new WorkflowWorld();
    let [now, most] = [0, 0];
    world.onCommand = async () => {
      now += 1;
      most = Math.max(most, now);
      await Promise.resolve();
      now -= 1;
      return {};
    };
    const steps = Array.from({ length: 20 }, (_, index) => shell(`s${index}`));
    const source = workflowOf(steps, { swarm: { maxConcurrency: 3 } });
    await expect(world.run(source)).resolves.toMatchObject({ status: "completed", finished: 20 });
    expect(most).toBe(3);
  });

  test("[workflow.case-38] a failed step is tried again after its delay, and no more often than it says", async () => {
    const world = new WorkflowWorld();
    let tries = 0;
    world.onCommand = () => ({ exitCode: (tries += 1) < 3 ? 7 : 0, stderr: "not yet\n" });
    const errorHandling = { strategy: "retry", maxRetries: 2, retryDelayMs: 500 } as const;
    world.start(workflowOf([shell("x")], { errorHandling }));
    await world.event("step_retrying");
    expect(tries).toBe(1);
    world.clock.advance(499);
    expect(tries).toBe(1);
    world.clock.advance(1);
    await expect
      .poll(() => world.events().filter(({ type }) => type === "step_retrying").length)
      .toBe(2);
    world.clock.advance(500);
    await expect(world.end()).resolves.toMatchObject({ status: "completed" });
    expect(tries).toBe(3);
    expect(world.host.step("u", "run", "x")).toMatchObject({ retries: 2, error: null });
  });

  test("[workflow.case-38] its last error is the step's", async () => {
    const world = new WorkflowWorld();
    world.onCommand = () => ({ exitCode: 3, stderr: "broken\n" });
    const run = await world.run(workflowOf([shell("x")]));
    expect(run).toMatchObject({ status: "failed", error: "step x failed: exit code 3: broken" });
    world.onCommand = () => ({ exitCode: null, signal: "SIGKILL" });
    const killed = { ...shell("x"), failOnError: true };
    await expect(world.run(workflowOf([killed]), { runId: "other" })).resolves.toMatchObject({
      error: "step x failed: it was ended by SIGKILL",
    });
  });

  test("[workflow.case-38-fail-fast] one failure ends what runs and skips the rest", async () => {
    const world = new WorkflowWorld();
    world.onCommand = async (command, signal) =>
      command === "run slow" ? await aborted(signal) : { exitCode: 1 };
    const run = await world.run(workflowOf([shell("slow"), shell("bad"), shell("after", "bad")]));
    expect(run.status).toBe("failed");
    expect(run.stepList.map(({ name, status }) => [name, status])).toEqual([
      ["slow", "skipped"],
      ["bad", "failed"],
      ["after", "skipped"],
    ]);
  });

  test("[workflow.case-38-fail-fast] continue goes on with what does not depend on it, and tells who asked", async () => {
    const world = new WorkflowWorld();
    world.onCommand = (command) => ({ exitCode: command === "run bad" ? 1 : 0 });
    const errorHandling = { strategy: "continue", notifyChannel: "ops" } as const;
    const steps = [shell("bad"), shell("after", "bad"), shell("beside"), shell("last", "beside")];
    const run = await world.run(workflowOf(steps, { errorHandling }));
    expect(run.status).toBe("failed");
    expect(run.stepList.map(({ status }) => status)).toEqual([
      "failed",
      "skipped",
      "completed",
      "completed",
    ]);
    expect(world.notices).toEqual([
      { channel: "ops", text: "Workflow main failed: step bad failed: exit code 1" },
    ]);
  });

  test("[workflow.case-40] variables and outputs are filled in, once; an unknown step's stays", async () => {
    const world = new WorkflowWorld();
    world.onCommand = (command) => ({
      stdout: command === "run one" ? "{{steps.two.output}}\n" : command,
    });
    const steps = [
      shell("one"),
      {
        ...shell("two", "one"),
        command: "{{ who }} {{steps.one.output}} {{steps.gone.output}} {{.Names}}",
      },
      { name: "three", agent: "a", task: "say {{steps.two.output}}", dependsOn: ["two"] },
    ];
    await world.run({ ...workflowOf(steps), vars: { who: "{{steps.one.output}}" } });
    const filled = "{{steps.one.output}} {{steps.two.output}} {{steps.gone.output}} {{.Names}}";
    expect(world.host.step("u", "run", "two").output).toBe(filled);
    expect(world.host.step("u", "run", "three").output).toBe(`say ${filled}`);
  });

  test("[workflow.barrier] what depends on a barrier waits for its steps", async () => {
    const world = new WorkflowWorld();
    const coordination = { barriers: [{ name: "gate", waitFor: ["one", "two"] }] };
    const steps = [shell("behind", "gate"), shell("one"), shell("two")];
    await expect(world.run(workflowOf(steps, { coordination }))).resolves.toMatchObject({
      status: "completed",
    });
    expect(world.story().indexOf("barrier_reached")).toBeLessThan(
      world.story().indexOf("step_started behind"),
    );
    expect(world.story().indexOf("barrier_reached")).toBeGreaterThan(
      world.story().indexOf("step_completed one"),
    );
  });

  test("[workflow.barrier] one that is not reached in time fails the run", async () => {
    const world = new WorkflowWorld();
    world.onCommand = (_, signal) => aborted(signal);
    const coordination = { barriers: [{ name: "gate", waitFor: ["one"], timeoutMs: 1_000 }] };
    world.start(workflowOf([shell("one")], { coordination }));
    await world.event("step_started");
    world.clock.advance(1_000);
    await expect(world.end()).resolves.toMatchObject({
      status: "failed",
      error: "barrier gate was not reached within 1000 ms",
    });
  });

  test("[workflow.preflight] a failing one starts nothing", async () => {
    const world = new WorkflowWorld();
    world.onCommand = (command) => ({ stdout: command === "git status" ? " M file\n" : "" });
    const source = workflowOf([shell("x")]);
    const [main] = source.workflow.definition.workflows ?? [];
    const preflight = (check: object) => ({
      workflow: {
        definition: {
          ...source.workflow.definition,
          workflows: [{ ...main!, preflight: [{ command: "git status", ...check }] }],
        },
      },
    });
    const failing = [{ failIf: "non-empty" }, { successIf: "empty" }, { failIf: "^ M" }];
    for (const [index, check] of failing.entries()) {
      const runId = `failing-${index}`;
      world.start(preflight(check), { runId });
      await expect(world.end(runId)).resolves.toMatchObject({ status: "failed" });
      expect(world.host.step("u", runId, "x").status).toBe("skipped");
    }
    await expect(world.run(preflight({ successIf: "M" }))).resolves.toMatchObject({
      status: "completed",
    });
    // An expression that takes for ever is given up.
    world.onCommand = () => ({ stdout: `${"a".repeat(40)}!` });
    world.start(preflight({ successIf: "^(a+)+$" }), { runId: "hostile" });
    await expect(world.end("hostile")).resolves.toMatchObject({ status: "failed" });
  });

  test("[workflow.custom] definitions get their parameters, functions are asked of the client", async () => {
    const world = new WorkflowWorld();
    world.onCallback = async ({ sessionId, callback, ask }) => {
      if (ask.kind !== "step") throw new Error("not a step");
      return { kind: "step", output: `${sessionId} ${callback} ${ask.params["text"]}` };
    };
    const customSteps = {
      definition: {
        steps: {
          greet: {
            type: "deterministic" as const,
            command: "greet {{name}} {{greeting}} {{who}}",
            params: [
              { name: "name", required: true },
              { name: "greeting", default: "hello" },
            ],
          },
        },
      },
    };
    const steps = [
      { name: "one", use: "greet", params: { name: "Ann" } },
      { name: "two", use: "host", params: { text: "{{who}}" }, dependsOn: ["one"] },
    ];
    const more = { customSteps, functions: ["host"], vars: { who: "you" } };
    await world.run({ ...workflowOf(steps), ...more });
    expect(world.commands).toMatchObject([{ command: "greet Ann hello you" }]);
    expect(world.host.step("u", "run", "two")).toMatchObject({
      type: "custom",
      output: "run host you",
    });
    const without = workflowOf([{ name: "one", use: "greet", params: { nam: "Ann" } }]);
    expect(() => world.start({ ...without, customSteps }, { runId: "r2" })).toThrow(
      /no parameter nam; .*needs the parameter name/,
    );
  });

  test("[workflow.worktree] its path is the output, and a branch is never an option", async () => {
    const world = new WorkflowWorld();
    const steps = [
      { name: "wt", type: "worktree", branch: "topic" } as const,
      { ...shell("in", "wt"), cwd: "{{steps.wt.output}}" },
    ];
    await world.run(workflowOf(steps));
    expect(world.commands.map(({ command, cwd }) => [command, cwd])).toEqual([
      [
        ["git", "worktree", "add", "-b", "topic", "--", "/workspace/.worktrees/wt", "HEAD"],
        "/workspace",
      ],
      ["run in", "/workspace/.worktrees/wt"],
    ]);
    const hostile = { name: "wt", type: "worktree", branch: "--upload-pack=x" } as const;
    await expect(world.run(workflowOf([hostile]), { runId: "r2" })).resolves.toMatchObject({
      status: "failed",
    });
    expect(world.commands).toHaveLength(2);
  });

  test("[workflow.fallback] the next one works only where the one before it failed", async () => {
    const world = new WorkflowWorld();
    const agents = ["first", "second", "third"].map((name) => ({ ...agent(name), task: name }));
    world.onAgent = ({ task }) => {
      if (task === "first") throw new Error("down");
      return task;
    };
    const definition = workflowOf([], { agents, swarm: { pattern: "cascade" } }).workflow
      .definition;
    const { workflows: _, ...alone } = definition;
    const run = await world.run({ workflow: { definition: alone } });
    expect(run.status).toBe("completed");
    expect(run.stepList.map(({ name, status }) => [name, status])).toEqual([
      ["first", "failed"],
      ["second", "completed"],
      ["third", "skipped"],
    ]);
  });
});
