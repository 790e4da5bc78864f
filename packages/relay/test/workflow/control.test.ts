import { describe, expect, test } from "vitest";

import { HOLDER, shell, workflowOf, WorkflowWorld } from "./workflow-world.ts";

/** Commands that wait until a test lets them end. */
function gated(world: WorkflowWorld) {
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const gate = (name: string): PromiseWithResolvers<void> => {
    const known = gates.get(name) ?? Promise.withResolvers<void>();
    gates.set(name, known);
    return known;
  };
  const ran: string[] = [];
  world.onCommand = async (command, signal) => {
    ran.push(command);
    await Promise.race([
      gate(command).promise,
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("ended")));
      }),
    ]);
    return { stdout: command };
  };
  return { ran, open: (name: string) => gate(`run ${name}`).resolve() };
}

const CHAIN = [shell("one"), shell("two", "one"), shell("three", "two")];

describe("a run", () => {
  test("[workflow.pause] starts no step while it is paused, and goes on where it was", async () => {
    const world = new WorkflowWorld();
    const { ran, open } = gated(world);
    world.start(workflowOf(CHAIN));
    await expect.poll(() => ran).toEqual(["run one"]);
    expect(world.host.pause("u", "run")).toMatchObject({ status: "paused" });
    open("one");
    await expect(world.end()).resolves.toMatchObject({ status: "paused", finished: 1 });
    // A paused run holds no VM.
    expect(world.held).toBe(0);
    expect(ran).toEqual(["run one"]);
    open("two");
    open("three");
    await expect(world.host.resume(HOLDER, "run")).resolves.toMatchObject({ status: "running" });
    await expect(world.end()).resolves.toMatchObject({ status: "completed", finished: 3 });
    expect(ran).toEqual(["run one", "run two", "run three"]);
  });

  test("[workflow.pause] taken back in time it never stopped", async () => {
    const world = new WorkflowWorld();
    const { ran, open } = gated(world);
    world.start(workflowOf(CHAIN));
    await expect.poll(() => ran).toEqual(["run one"]);
    world.host.pause("u", "run");
    await world.host.resume(HOLDER, "run");
    for (const name of ["one", "two", "three"]) open(name);
    await expect(world.end()).resolves.toMatchObject({ status: "completed" });
    expect(world.story()).toContain("run_continued");
    expect(world.held).toBe(0);
  });

  test("[workflow.case-43] an abort ends what runs, and is no failure", async () => {
    const world = new WorkflowWorld();
    const { ran, open } = gated(world);
    world.start(workflowOf(CHAIN));
    open("one");
    await expect.poll(() => ran).toEqual(["run one", "run two"]);
    await expect(world.host.abort("u", "run")).resolves.toMatchObject({ status: "cancelled" });
    expect(world.held).toBe(0);
    expect(world.story().at(-1)).toBe("run_cancelled");
    await expect(world.host.abort("u", "run")).resolves.toMatchObject({ status: "cancelled" });
    // It can still be gone on with.
    open("two");
    open("three");
    await world.host.resume(HOLDER, "run");
    await expect(world.end()).resolves.toMatchObject({ status: "completed" });
    expect(ran).toEqual(["run one", "run two", "run two", "run three"]);
  });

  test("[workflow.case-43] only the chosen workflow runs", async () => {
    const world = new WorkflowWorld();
    const { definition } = workflowOf([shell("x")]).workflow;
    const workflows = [...(definition.workflows ?? []), { name: "other", steps: [shell("y")] }];
    const source = { workflow: { definition: { ...definition, workflows } } };
    const run = await world.run({ ...source, name: "other" });
    expect(run).toMatchObject({ workflow: "other", stepList: [{ name: "y" }] });
    expect(() => world.start({ ...source, name: "gone" }, { runId: "r2" })).toThrow(
      "name: expected one of main, other, got gone",
    );
  });

  test("[workflow.case-43-resume] a failed run goes on with what is left, an unknown one is refused", async () => {
    const world = new WorkflowWorld();
    world.onCommand = (command) => ({ exitCode: command === "run two" ? 1 : 0 });
    await expect(world.run(workflowOf(CHAIN))).resolves.toMatchObject({ status: "failed" });
    world.commands.length = 0;
    world.onCommand = () => ({});
    await world.host.resume(HOLDER, "run");
    await expect(world.end()).resolves.toMatchObject({ status: "completed", error: null });
    expect(world.commands.map(({ command }) => command)).toEqual(["run two", "run three"]);
    await expect(world.host.resume(HOLDER, "gone")).rejects.toMatchObject({ code: "NOT_FOUND" });
    // There is nothing left of a completed one.
    await expect(world.host.resume(HOLDER, "run")).resolves.toMatchObject({ status: "completed" });
  });

  test("[workflow.crash] the next life goes on from the last finished step", async () => {
    const world = new WorkflowWorld();
    const before = gated(world);
    world.start(workflowOf(CHAIN));
    before.open("one");
    await expect.poll(() => before.ran).toEqual(["run one", "run two"]);
    const next = world.next();
    const after = gated(next);
    expect(next.host.show("u", "run")).toMatchObject({
      status: "interrupted",
      stepList: [{ status: "completed", output: "run one" }, { status: "pending" }, {}],
    });
    after.open("two");
    after.open("three");
    await next.host.resume(HOLDER, "run");
    await expect(next.end()).resolves.toMatchObject({ status: "completed" });
    expect(after.ran).toEqual(["run two", "run three"]);
    const seqs = next.events().map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    await world.host.close();
  });

  test("[workflow.crash] an orderly end interrupts it, and nothing new starts", async () => {
    const world = new WorkflowWorld();
    const { ran } = gated(world);
    world.start(workflowOf(CHAIN));
    await expect.poll(() => ran).toEqual(["run one"]);
    await world.host.close();
    expect(world.host.show("u", "run").status).toBe("interrupted");
    expect(() => world.start(workflowOf(CHAIN), { runId: "late" })).toThrow("the sidecar ends");
  });

  test("[workflow.lost-vm] it fails with the reason that its VM went", async () => {
    const world = new WorkflowWorld();
    const { ran } = gated(world);
    world.start(workflowOf(CHAIN));
    await expect.poll(() => ran).toEqual(["run one"]);
    world.lost.resolve(new Error("VM vm-1 has ended: died"));
    await expect(world.end()).resolves.toMatchObject({
      status: "failed",
      error: "VM vm-1 has ended: died",
    });
    expect(world.held).toBe(0);
  });

  test("[workflow.same-id] the same id again is the same run", async () => {
    const world = new WorkflowWorld();
    const { ran, open } = gated(world);
    world.start(workflowOf(CHAIN));
    world.start(workflowOf(CHAIN));
    for (const name of ["one", "two", "three"]) open(name);
    await world.end();
    world.start(workflowOf(CHAIN));
    expect(ran).toEqual(["run one", "run two", "run three"]);
    expect(world.host.list("u", {})).toHaveLength(1);
  });

  test("[workflow.users] another user's runs are unknown", async () => {
    const world = new WorkflowWorld();
    await world.run(workflowOf([shell("x")]));
    expect(world.host.list("other", {})).toEqual([]);
    expect(() => world.host.show("other", "run")).toThrow("there is no workflow run run");
    await expect(world.host.abort("other", "run")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a run that is past its time is forgotten", async () => {
    const world = new WorkflowWorld();
    const state = { ttlMs: 1, namespace: "n" };
    await world.run(workflowOf([shell("x")], { state }));
    await world.run(workflowOf([shell("x")]), { runId: "kept" });
    await expect.poll(() => world.host.list("u", {}).map(({ runId }) => runId)).toEqual(["kept"]);
  });

  test("outputs are kept up to a bound, and say so", async () => {
    const world = new WorkflowWorld();
    world.onCommand = () => ({ stdout: "x".repeat(300_000) });
    const run = await world.run(workflowOf([shell("x")]));
    expect(run.stepList[0]).toMatchObject({ truncated: true, output: "x".repeat(2_048) });
    const { output } = world.host.step("u", "run", "x");
    expect(output).toHaveLength(262_144);
  });
});
