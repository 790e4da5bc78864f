import type { MethodParams, WorkflowRunInfo } from "@agentos/protocol";
import { ScriptedRuntime, type ScriptedTurn } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { Lives } from "../adoption/lives.ts";
import { type TestClient, TestSidecar } from "../sidecar-harness.ts";

type Source = MethodParams<"workflow.run">["source"];

const TEXT = `
version: "1.0"
name: build
swarm: { pattern: pipeline }
agents:
  - { name: writer, runtime: scripted, preset: worker }
  - { name: critic, runtime: scripted, preset: reviewer }
workflows:
  - name: build
    steps:
      - { name: look, type: deterministic, command: "echo {{what}}" }
      - { name: write, agent: writer, task: "write {{steps.look.output}}", dependsOn: [look], reviewers: [critic] }
      - { name: publish, use: publish, params: { text: "{{steps.write.output}}" }, dependsOn: [write] }
`;
const SOURCE: Source = {
  workflow: { text: TEXT },
  vars: { what: "secret-word" },
  functions: ["publish"],
};

async function script({ prompt, request }: ScriptedTurn): Promise<string> {
  const instructions = JSON.stringify(request.spec.systemPrompt);
  if (instructions.includes("critic")) return "fine\nAPPROVE";
  return `wrote: ${prompt.split("\n")[0]}`;
}

/** The run once it goes on no more by itself. */
async function ended(client: TestClient, runId: string): Promise<WorkflowRunInfo> {
  for (let after = 0; ;) {
    const params = { runId, after, waitMs: 20_000 };
    // oxlint-disable-next-line no-await-in-loop -- The next batch is what this waits for.
    const batch = await client.peer.request("workflow.events", params, { deadlineMs: null });
    after = batch.events.at(-1)?.seq ?? after;
    if (batch.ended) return await client.peer.request("workflow.show", { runId });
  }
}

describe("workflows of a sidecar", () => {
  test("[workflow.end-to-end] commands, agents, reviewers and functions of the client, one after another", async () => {
    await using world = await TestSidecar.start({ runtimes: [new ScriptedRuntime({ script })] });
    await using client = await world.connect();
    const { lease } = await client.create();
    const { vmId, fence } = lease;
    client.onCallback = async ({ callback, ask }) => ({
      kind: "step",
      output: ask.kind === "step" ? `${callback}: ${ask.params["text"]}` : "",
    });
    const report = await client.peer.request("workflow.check", { source: SOURCE });
    expect(report).toMatchObject({ valid: true, totalSteps: 3, pattern: "pipeline" });
    await client.peer.request("workflow.run", { vmId, fence, runId: "r", source: SOURCE });
    const run = await ended(client, "r");
    expect(run).toMatchObject({ status: "completed", vmId, finished: 3, error: null });
    expect(run.stepList.map(({ output }) => output)).toEqual([
      "secret-word\n",
      "wrote: write secret-word",
      "publish: wrote: write secret-word",
    ]);
    const { sessions } = await client.peer.request("session.list", {});
    expect(sessions.map(({ state }) => state)).toEqual(["closed", "closed"]);
    expect(sessions.map(({ sessionId }) => sessionId)).toContain(run.stepList[1]?.sessionId);
    const { runs } = await client.peer.request("workflow.list", { vmId });
    expect(runs).toMatchObject([{ runId: "r", steps: 3, status: "completed" }]);
  });

  test("[workflow.users] a key of another user sees none of it", async () => {
    await using world = await TestSidecar.start({ runtimes: [new ScriptedRuntime({ script })] });
    await using client = await world.connect();
    const { lease } = await client.create();
    const { vmId, fence } = lease;
    await client.peer.request("workflow.run", { vmId, fence, runId: "r", source: SOURCE });
    await using other = await world.connect(await world.keyOf("other"));
    await expect(other.peer.request("workflow.list", {})).resolves.toEqual({ runs: [] });
    await expect(other.peer.request("workflow.show", { runId: "r" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    const theirs = { vmId, fence, runId: "r2", source: SOURCE };
    await expect(other.peer.request("workflow.run", theirs)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await client.peer.request("workflow.abort", { runId: "r" });
  });

  test("[workflow.lost-vm] a takeover ends it with FENCED's reason", async () => {
    const runtime = new ScriptedRuntime({ script: ({ forever }) => forever() });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const { lease } = await client.create();
    const { vmId, fence } = lease;
    await client.peer.request("workflow.run", { vmId, fence, runId: "r", source: SOURCE });
    await expect.poll(() => runtime.prompts.length).toBe(1);
    await client.peer.request("vm.attach", { vm: vmId, leaseId: "l2", mode: "takeover" });
    const run = await ended(client, "r");
    expect(run).toMatchObject({ status: "failed" });
    expect(run.error).toContain("another holder took it over");
  });

  test("[workflow.crash] after a killed sidecar it goes on in its VM from the last finished step", async () => {
    let isStuck = true;
    const runtime = new ScriptedRuntime({
      script: (turn) =>
        isStuck && turn.prompt.startsWith("write") ? turn.forever() : script(turn),
    });
    const look = '{ name: look, type: deterministic, command: "echo {{what}}" }';
    const text = TEXT.replace(look, '{ name: look, agent: writer, task: "look at {{what}}" }');
    const source = { ...SOURCE, workflow: { text } };
    await using lives = await Lives.start({ runtimes: [runtime] });
    const before = await lives.connect();
    const { lease } = await before.create({ vmId: "vm-a", leaseId: "l1" });
    const { vmId, fence } = lease;
    await before.peer.request("workflow.run", { vmId, fence, runId: "r", source });
    await expect.poll(() => runtime.prompts.length).toBe(2);
    await lives.next();
    isStuck = false;
    await using client = await lives.connect();
    client.onCallback = async () => ({ kind: "step", output: "published" });
    const cut = await client.peer.request("workflow.show", { runId: "r" });
    expect(cut).toMatchObject({ status: "interrupted", finished: 1 });
    await client.peer.request("lease.resume", lease);
    await client.peer.request("workflow.handle", {
      vmId,
      fence,
      runId: "r",
      callbacks: ["publish"],
    });
    await client.peer.request("workflow.resume", { vmId, fence, runId: "r" });
    const run = await ended(client, "r");
    expect(run).toMatchObject({ status: "completed", finished: 3 });
    expect(run.stepList[2]?.output).toBe("published");
    // The first step ran in the first life only.
    const { events } = await client.peer.request("workflow.events", { runId: "r", after: 0 });
    const looked = events.filter((event) => event.type === "step_started" && event.step === "look");
    expect(looked).toHaveLength(1);
    await before[Symbol.asyncDispose]();
  });

  test("[workflow.nudge] a reminder reaches the running turn of an agent that can be steered", async () => {
    const reminded = Promise.withResolvers<string>();
    const runtime = new ScriptedRuntime({
      script: async ({ until }) => `woke up: ${await until(reminded.promise)}`,
      controls: { steer: async (content) => reminded.resolve(JSON.stringify(content)) },
    });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const { lease } = await client.create();
    const { vmId, fence } = lease;
    const pattern = "{ pattern: pipeline }";
    const nudging = "{ pattern: pipeline, idleNudge: { nudgeAfterMs: 1000 } }";
    const look = '{ name: look, agent: writer, task: "look" }';
    const text = `${TEXT.split("      - {")[0]}      - ${look}`.replace(pattern, nudging);
    const source = { workflow: { text } };
    await client.peer.request("workflow.run", { vmId, fence, runId: "r", source });
    await expect.poll(() => runtime.prompts.length).toBe(1);
    world.clock.advance(1_000);
    const run = await ended(client, "r");
    expect(run).toMatchObject({ status: "completed" });
    expect(run.stepList[0]?.output).toContain('woke up: "Are you still working on it?');
  });

  test("[workflow.notify] the members of the channel are told that it failed", async () => {
    const runtime = new ScriptedRuntime({ script: async () => "noted" });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const { lease } = await client.create();
    const { vmId, fence } = lease;
    const agent = { name: "Watcher", session: { runtime: "scripted" }, channels: ["ops"] };
    await client.peer.request("relay.spawn", { vmId, fence, agentId: "w", agent });
    const broken = "steps: [{ name: broken, type: deterministic, command: false }]";
    const text = `version: "1.0"
name: n
swarm: { pattern: dag }
errorHandling: { notifyChannel: ops }
workflows: [{ name: nightly, ${broken.replace("false", '"false"')} }]`;
    await client.peer.request("workflow.run", {
      vmId,
      fence,
      runId: "r",
      source: { workflow: { text } },
    });
    const told = (): string => JSON.stringify(runtime.prompts.map(({ content }) => content));
    await expect.poll(told).toContain("Workflow nightly failed: step broken failed: exit code 1");
  });

  test("[workflow.keys] keys and variables are nowhere in the sidecar's files in clear", async () => {
    await using world = await TestSidecar.start({
      pool: "sealed",
      runtimes: [new ScriptedRuntime({ script: async () => "quiet" })],
    });
    await using client = await world.connect();
    const { lease } = await client.create();
    const { vmId, fence } = lease;
    const providers = { "*": { name: "anthropic", apiKey: "key-of-somebody" } };
    const text = TEXT.replace("echo {{what}}", "true {{what}}");
    const source = { ...SOURCE, workflow: { text } };
    const params = { vmId, fence, runId: "r", source, providers };
    await client.peer.request("workflow.run", params);
    await client.peer.request("workflow.abort", { runId: "r" });
    expect(world.filesText()).not.toContain("key-of-somebody");
    expect(world.filesText()).not.toContain("secret-word");
  });
});
