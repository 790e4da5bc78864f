import { describe, expect, test } from "vitest";

import { type AgentTurn, agent, shell, workflowOf, WorkflowWorld } from "./workflow-world.ts";

const task = { name: "x", agent: "a", task: "do it and say DONE" };

describe("agents' steps", () => {
  test.each([
    ["output_contains", { type: "output_contains", value: "DONE" }, "all DONE", "nothing"],
    ["exit_code", { type: "exit_code", value: 2 }, { exitCode: 2 }, { exitCode: 0 }],
    ["exit_code without a program", { type: "exit_code", value: "0" }, { exitCode: 0 }, "no code"],
  ] as const)("[workflow.case-39] %s", async (_, verification, good, bad) => {
    const world = new WorkflowWorld();
    world.onAgent = () => good;
    await expect(world.run(workflowOf([{ ...task, verification }]))).resolves.toMatchObject({
      status: "completed",
    });
    world.onAgent = () => bad;
    const failing = await world.run(workflowOf([{ ...task, verification }]), { runId: "bad" });
    expect(failing.status).toBe("failed");
    expect(failing.stepList[0]?.error).toMatch(/does not contain "DONE"|expected exit code/);
    // Each try had an agent of its own, and none is left.
    expect(world.ended).toEqual(world.opened.map(({ id }) => id));
  });

  test("[workflow.case-39] a file is looked for in the step's directory, a command's exit code counts", async () => {
    const world = new WorkflowWorld();
    world.onCommand = (command) => ({ exitCode: command === "check a" ? 0 : 1, stderr: "no\n" });
    const file = {
      type: "file_exists",
      value: "out/report.md",
      description: "the report",
    } as const;
    const inTree = { ...task, cwd: "tree", verification: file };
    const run = await world.run(workflowOf([inTree]));
    expect(run.stepList[0]?.error).toBe(
      "the report: there is no file /workspace/tree/out/report.md",
    );
    world.files.add("/workspace/tree/out/report.md");
    const found = await world.run(workflowOf([inTree]), { runId: "r2" });
    expect(found.status).toBe("completed");
    const custom = (value: string) => [
      { ...task, verification: { type: "custom" as const, value } },
    ];
    const good = await world.run(workflowOf(custom("check a")), { runId: "r3" });
    expect(good.status).toBe("completed");
    const bad = await world.run(workflowOf(custom("check b")), { runId: "r4" });
    expect(bad.stepList[0]?.error).toBe("its verification failed: exit code 1: no");
  });

  test("[workflow.case-39] a function of the client decides, and says why not", async () => {
    const world = new WorkflowWorld();
    world.onCallback = async ({ ask }) =>
      ask.kind === "verification" && ask.output === "good"
        ? { kind: "verification", passed: true }
        : { kind: "verification", passed: false, reason: "too bad" };
    const verification = { type: "custom", use: "judge" } as const;
    const source = { ...workflowOf([{ ...task, verification }]), functions: ["judge"] };
    world.onAgent = () => "good";
    await expect(world.run(source)).resolves.toMatchObject({ status: "completed" });
    world.onAgent = () => "poor";
    await expect(world.run(source, { runId: "r2" })).resolves.toMatchObject({
      error: "step x failed: too bad",
    });
  });

  test("[workflow.case-39-echo] an echoed task does not verify itself", async () => {
    const world = new WorkflowWorld();
    const verification = { type: "output_contains", value: "DONE" } as const;
    const source = workflowOf([{ ...task, verification }]);
    world.onAgent = ({ task: typed }) => ({ output: `> ${typed}\nworking`, echoesTask: true });
    await expect(world.run(source)).resolves.toMatchObject({ status: "failed" });
    world.onAgent = ({ task: typed }) => ({ output: `> ${typed}\nDONE`, echoesTask: true });
    await expect(world.run(source, { runId: "r2" })).resolves.toMatchObject({
      status: "completed",
    });
    // What an agent says through a structured channel has no echo in it.
    world.onAgent = () => "DONE";
    await expect(world.run(source, { runId: "r3" })).resolves.toMatchObject({
      status: "completed",
    });
  });

  test("[workflow.case-38-iterations] it goes on in the same conversation until it is verified", async () => {
    const world = new WorkflowWorld();
    world.onAgent = ({ turn }) => (turn < 3 ? "not yet" : "DONE");
    const verification = { type: "output_contains", value: "DONE" } as const;
    const step = { ...task, verification, maxIterations: 3 };
    await expect(world.run(workflowOf([step]))).resolves.toMatchObject({ status: "completed" });
    expect(world.opened).toHaveLength(1);
    expect(world.story().filter((line) => line === "step_iterating x")).toHaveLength(2);
    const short = { ...step, maxIterations: 2 };
    await expect(world.run(workflowOf([short]), { runId: "r2" })).resolves.toMatchObject({
      status: "failed",
    });
  });

  test("[workflow.review-loop] what reviewers reject goes back with their reasons", async () => {
    const world = new WorkflowWorld();
    const tasks: string[] = [];
    world.onAgent = ({ request, task: asked, turn }) => {
      if (request.agent !== "a")
        return turn > 0 && asked.includes("second") ? "APPROVE" : "REJECT: too short";
      tasks.push(asked);
      return turn === 1 ? "first" : "second";
    };
    const run = await world.run(workflowOf([{ ...task, reviewers: ["b", "c"] }]));
    expect(run).toMatchObject({ status: "completed", stepList: [{ output: "second" }] });
    expect(tasks[1]).toContain("b (reject): REJECT: too short");
    const votes = world.events().filter((event) => event.type === "step_reviewed");
    expect(votes.map(({ vote }) => vote)).toEqual(["reject", "reject", "approve", "approve"]);
    expect(world.ended).toHaveLength(world.opened.length);
  });

  test("[workflow.vote-expiry] who has not voted in time abstains, and the others' votes count by their weights", async () => {
    const world = new WorkflowWorld();
    world.onAgent = async ({ request, forever }) => {
      if (request.agent === "b") return await forever();
      return request.agent === "c" ? "APPROVE" : "work";
    };
    const coordination = { voteWeights: { c: 0.5 }, voteExpiryMs: 60_000 };
    world.start(workflowOf([{ ...task, reviewers: ["b", "c"] }], { coordination }));
    await expect.poll(() => world.opened.length).toBe(3);
    world.clock.advance(60_000);
    await expect(world.end()).resolves.toMatchObject({ status: "completed" });
    expect(world.events().filter(({ type }) => type === "step_reviewed")).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({
          reviewer: "b",
          vote: "abstain",
          comment: "it did not vote in time",
        }),
        expect.objectContaining({ reviewer: "c", vote: "approve" }),
      ]),
    );
    const unknown = { coordination: { voteWeights: { nobody: 2 } } };
    expect(() => world.start(workflowOf([task], unknown), { runId: "r2" })).toThrow(
      "voteWeights has nobody, which is no agent",
    );
  });

  test("[workflow.review-loop] reviewers that never agree end it after maxIterations", async () => {
    const world = new WorkflowWorld();
    world.onAgent = ({ request }) => (request.agent === "a" ? "work" : "I am not sure");
    const run = await world.run(workflowOf([{ ...task, reviewers: ["b"], maxIterations: 2 }]));
    expect(run.status).toBe("failed");
    expect(run.error).toContain("The reviewers did not accept it.");
    expect(world.opened.filter(({ agent: name }) => name === "b")).toHaveLength(2);
  });

  test("what an agent is told, given and allowed comes from the workflow", async () => {
    const world = new WorkflowWorld();
    const lead = { ...agent("lead", "lead"), preset: "lead" as const, cwd: "sub" };
    const constraints = { model: "m", maxTokens: 500 };
    const worker = {
      ...agent("w"),
      preset: "worker" as const,
      constraints,
      additionalPaths: ["lib"],
    };
    const providers = { w: { name: "openai", apiKey: "k" } };
    const steps = [
      { name: "one", agent: "lead", task: "t" },
      { name: "two", agent: "w", task: "t" },
    ];
    const swarm = { pattern: "hub-spoke", channel: "room" } as const;
    const source = workflowOf(steps, { agents: [lead, worker], swarm });
    await world.run(source, { providers });
    expect(world.opened).toMatchObject([
      {
        agent: "lead",
        cwd: "/workspace/sub",
        mayWriteTo: ["w"],
        channels: ["room"],
        provider: undefined,
      },
      {
        agent: "w",
        model: "m",
        maxTokens: 500,
        workspaces: ["/workspace", "/workspace/lib"],
        mayWriteTo: [],
        provider: { apiKey: "k" },
      },
    ]);
    expect(world.opened[0]?.instructions).toContain("You lead this work");
  });
});

const waits = async ({ nudged, forever }: AgentTurn): Promise<string> =>
  await Promise.race([nudged().then(() => "woke up"), forever()]);

describe("silent agents", () => {
  const idleNudge = { nudgeAfterMs: 100, escalateAfterMs: 200, maxNudges: 2 };

  test("[workflow.case-42] a reminder is enough for one that then ends", async () => {
    const world = new WorkflowWorld();
    const turns = Promise.withResolvers<AgentTurn>();
    world.onAgent = async (turn) => {
      turns.resolve(turn);
      return await waits(turn);
    };
    world.start(workflowOf([task], { swarm: { idleNudge } }));
    const { activity } = await turns.promise;
    world.clock.advance(99);
    activity();
    world.clock.advance(99);
    expect(world.nudges).toEqual([]);
    world.clock.advance(1);
    await expect(world.end()).resolves.toMatchObject({
      status: "completed",
      stepList: [{ output: "woke up" }],
    });
    expect(world.nudges).toHaveLength(1);
    expect(world.story()).toContain("step_nudged x");
  });

  test("[workflow.case-42] after the last reminder it is released, and the step fails", async () => {
    const world = new WorkflowWorld();
    const begun = Promise.withResolvers<void>();
    world.onAgent = ({ forever }) => {
      begun.resolve();
      return forever();
    };
    world.start(workflowOf([task], { swarm: { idleNudge } }));
    await begun.promise;
    for (const ms of [100, 200, 200]) world.clock.advance(ms);
    await expect(world.end()).resolves.toMatchObject({
      error: "step x failed: the agent did not end, after 2 reminders it was released",
    });
    expect(
      world.story().filter((line) => line.includes("nudged") || line.includes("force")),
    ).toEqual(["step_nudged x", "step_nudged x", "step_force_released x"]);
    expect(world.ended).toHaveLength(1);
  });

  test("[workflow.case-42] the step's time-out comes first where it is shorter", async () => {
    const world = new WorkflowWorld();
    const begun = Promise.withResolvers<void>();
    world.onAgent = ({ forever }) => {
      begun.resolve();
      return forever();
    };
    world.start(workflowOf([{ ...task, timeoutMs: 150 }], { swarm: { idleNudge } }));
    await begun.promise;
    world.clock.advance(150);
    await expect(world.end()).resolves.toMatchObject({
      error: "step x failed: it took longer than 150 ms",
    });
    expect(world.story()).not.toContain("step_force_released x");
  });

  test("[workflow.case-42-idle] silence alone completes nothing, unless idleIsDone", async () => {
    const world = new WorkflowWorld();
    const begun: PromiseWithResolvers<void>[] = [Promise.withResolvers(), Promise.withResolvers()];
    world.onAgent = ({ forever }) => {
      begun[world.opened.length - 1]?.resolve();
      return forever();
    };
    world.start(workflowOf([{ ...task, timeoutMs: 90_000 }]));
    await begun[0]?.promise;
    world.clock.advance(60_000);
    expect(world.host.show("u", "run").status).toBe("running");
    world.clock.advance(30_000);
    await expect(world.end()).resolves.toMatchObject({ status: "failed" });
    world.start(workflowOf([task], { swarm: { idleIsDone: true } }), { runId: "r2" });
    await begun[1]?.promise;
    world.clock.advance(30_000);
    await expect(world.end("r2")).resolves.toMatchObject({ status: "completed" });
  });

  test("a time-out ends a command too", async () => {
    const world = new WorkflowWorld();
    world.onCommand = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("ended")));
      });
    world.start(workflowOf([{ ...shell("x"), timeoutMs: 10 }]));
    await world.event("step_started");
    await expect.poll(() => world.commands.length).toBe(1);
    world.clock.advance(10);
    await expect(world.end()).resolves.toMatchObject({
      error: "step x failed: it took longer than 10 ms",
    });
  });
});
