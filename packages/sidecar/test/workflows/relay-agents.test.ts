import type { Json, MethodParams, ToolResult } from "@agentos/protocol";
import { ScriptedRuntime, type ScriptedTurn } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { Lives } from "../adoption/lives.ts";
import { bodyOf, RelayClient } from "../relay/relay-world.ts";
import { type TestClient, TestSidecar } from "../sidecar-harness.ts";

type Source = MethodParams<"workflow.run">["source"];

/** A hub and two spokes, all at work at the same time. */
const TEXT = `
version: "1.0"
name: talk
swarm: { pattern: hub-spoke, channel: work }
agents:
  - { name: lead, runtime: scripted, role: lead }
  - { name: ann, runtime: scripted }
  - { name: bob, runtime: scripted }
workflows:
  - name: talk
    steps:
      - { name: lead, agent: lead, task: lead }
      - { name: ann, agent: ann, task: ann }
      - { name: bob, agent: bob, task: bob }
`;
const SOURCE: Source = { workflow: { text: TEXT }, vars: {} };

type Play = (call: (name: string, input?: Json) => Promise<string>) => Promise<void>;

/** Plays each agent's task once all three work; they end together. */
class Stage {
  readonly runtime: ScriptedRuntime;
  readonly #started = new Set<string>();
  readonly #all = Promise.withResolvers<void>();
  readonly #plays: Readonly<Record<string, Play>>;
  readonly #over = Promise.withResolvers<void>();
  readonly #playing: Promise<void>[] = [];

  constructor(plays: Readonly<Record<string, Play>>) {
    this.#plays = plays;
    this.runtime = new ScriptedRuntime({ script: (turn) => this.#play(turn) });
  }

  /** What was said to an agent beside its task, by its relay name. */
  heard(sessionId: string): string[] {
    return this.runtime.prompts
      .filter((_, index) => this.runtime.promptedSessions[index] === sessionId)
      .map(({ content }) => bodyOf(content))
      .slice(1);
  }

  async #play({ prompt, call, until }: ScriptedTurn): Promise<string> {
    if (!["lead", "ann", "bob"].includes(prompt)) return `read: ${prompt}`;
    this.#started.add(prompt);
    if (this.#started.size === 3) this.#all.resolve();
    await until(this.#all.promise);
    const play = this.#plays[prompt];
    if (play !== undefined)
      this.#playing.push(play(async (name, input) => textOf(await call(name, input))));
    if (this.#playing.length === Object.keys(this.#plays).length) {
      await Promise.all(this.#playing);
      this.#over.resolve();
    }
    await until(this.#over.promise);
    return `${prompt} is done`;
  }
}

function textOf({ outcome, content: [first] }: ToolResult): string {
  return `${outcome} ${first?.type === "text" ? first.text : ""}`;
}

async function started(runtime: ScriptedRuntime) {
  const world = await TestSidecar.start({ runtimes: [runtime] });
  const client = await world.connect();
  const { lease } = await client.create();
  return { world, client, lease, relay: new RelayClient(client, lease) };
}

async function finished(client: TestClient, runId: string) {
  for (let after = 0; ;) {
    const params = { runId, after, waitMs: 20_000 };
    // oxlint-disable-next-line no-await-in-loop -- The next batch is what this waits for.
    const batch = await client.peer.request("workflow.events", params, { deadlineMs: null });
    after = batch.events.at(-1)?.seq ?? after;
    if (batch.ended) return await client.peer.request("workflow.show", { runId });
  }
}

const send = (to: string, text: string): [string, Json] => ["relay_send", { to, text }];

describe("agents of a workflow", () => {
  test("[workflow.relay-edges] write to one another along the pattern's edges, by their names; all else is refused and reaches nobody", async () => {
    const said: string[] = [];
    const stage = new Stage({
      ann: async (call) => {
        said.push(await call(...send("bob", "past the hub")));
        said.push(await call(...send("lead", "to the hub")));
        said.push(await call(...send("#work", "to all")));
        said.push(await call(...send("*", "to everybody")));
        said.push(await call(...send("outsider", "out of the run")));
        said.push(await call("relay_agents"));
      },
    });
    const { world, client, lease, relay } = await started(stage.runtime);
    const outsider = await relay.spawn("outsider", { channels: ["work"] });
    const { vmId, fence } = lease;
    await client.peer.request("workflow.run", { vmId, fence, runId: "run-1", source: SOURCE });
    const run = await finished(client, "run-1");
    expect(run).toMatchObject({ status: "completed" });
    expect(said.map((each) => each.split(/[ :]/).slice(0, 2).join(" "))).toEqual([
      "failed ACL_DENIED",
      expect.stringMatching(/^ok/),
      expect.stringMatching(/^ok/),
      expect.stringMatching(/^ok/),
      "failed ACL_DENIED",
      expect.stringMatching(/^ok/),
    ]);
    expect(said[1]).toContain("lead@run-1");
    expect(said[2]).not.toContain("bob@");
    expect(said[3]).not.toContain("bob@");
    expect(said[5]).not.toContain("bob@");
    const [lead, , bob] = run.stepList.map(({ sessionId }) => sessionId ?? "");
    // It worked while they came: each is a turn before it goes.
    expect(stage.heard(lead ?? "")).toEqual(["to the hub", "to all", "to everybody"]);
    expect(stage.heard(bob ?? "")).toEqual([]);
    expect(stage.heard(outsider.agentId)).toEqual([]);
    await expect(relay.events({ types: ["acl_denied"] })).resolves.toMatchObject([
      { agent: "bob@run-1", sender: "ann@run-1" },
      { agent: "outsider", sender: "ann@run-1" },
    ]);
    await expect(relay.agents()).resolves.toMatchObject([{ name: "outsider" }]);
    expect(run.stepList[0]?.output).toBe("lead is done");
    await client[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test("[workflow.relay-agents] are seen, measured and written to by people while they work", async () => {
    const seen: string[][] = [];
    let relay: RelayClient | undefined;
    const stage = new Stage({
      lead: async () => {
        seen.push((await relay?.agents())?.map(({ name }) => name) ?? []);
        await relay?.send("bob@run-1", "from a person");
        await relay?.send("#work", "to the channel");
      },
    });
    const at = await started(stage.runtime);
    relay = at.relay;
    const { vmId, fence } = at.lease;
    await at.client.peer.request("workflow.run", { vmId, fence, runId: "run-1", source: SOURCE });
    const run = await finished(at.client, "run-1");
    expect(seen[0]?.toSorted((a, b) => a.localeCompare(b))).toEqual([
      "ann@run-1",
      "bob@run-1",
      "lead@run-1",
    ]);
    expect(stage.heard(run.stepList[2]?.sessionId ?? "")).toEqual([
      "from a person",
      "to the channel",
    ]);
    await at.client[Symbol.asyncDispose]();
    await at.world[Symbol.asyncDispose]();
  });

  test("[workflow.presets] programs without a runtime of their own are called with their task, and told who they are", async () => {
    const runtime = new ScriptedRuntime({ name: "command", script: async () => "done" });
    const { world, client, lease } = await started(runtime);
    const agents = ["aider", "goose", "droid", "cursor"].map(
      (cli) => `  - { name: ${cli}, cli: ${cli}, task: "do it", constraints: { model: m } }`,
    );
    const text = `version: "1.0"\nname: clis\nswarm: { pattern: pipeline }\nagents:\n${agents.join("\n")}\n`;
    const { vmId, fence } = lease;
    const source = { workflow: { text }, vars: {} };
    await client.peer.request("workflow.run", { vmId, fence, runId: "run-1", source });
    await expect(finished(client, "run-1")).resolves.toMatchObject({ status: "completed" });
    expect(
      runtime.opened.map(({ spec }) => [spec.command, ...(spec.args ?? [])].join(" ")),
    ).toEqual([
      "aider --yes-always --message {prompt} --model m",
      "goose run --text {prompt} --model m",
      "droid exec {prompt} --model m",
      "agent -p {prompt} --model m",
    ]);
    expect(runtime.opened.every(({ spec }) => spec.systemPrompt === undefined)).toBe(true);
    expect(JSON.stringify(runtime.prompts[0]?.content)).toMatch(/You are aider.*do it/);
    await client[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test("[workflow.relay-ends] one that dies is a crash of the relay; those of an interrupted run are gone in the next life", async () => {
    const runtime = new ScriptedRuntime({
      script: async ({ prompt, exit, forever }) => {
        if (prompt === "bob") exit(3);
        return await forever();
      },
    });
    await using lives = await Lives.start({ runtimes: [runtime] });
    const first = await lives.connect();
    const { lease } = await first.create({ vmId: "vm-a", leaseId: "l1" });
    const { vmId, fence } = lease;
    const text = TEXT.replace("workflows:", "errorHandling: { strategy: continue }\nworkflows:");
    const source = { workflow: { text }, vars: {} };
    await first.peer.request("workflow.run", { vmId, fence, runId: "run-1", source });
    const before = new RelayClient(first, lease);
    await before.find(({ type }) => type === "agent_exited");
    await expect(first.peer.request("relay.health", {})).resolves.toMatchObject({
      recent: [{ agent: "bob@run-1", exitCode: 3, category: "error" }],
    });
    await expect.poll(async () => (await before.agents()).length).toBe(2);
    const waiting = await before.send("ann@run-1", "waits", { from: "human:kim" });
    await lives.next();
    await using client = await lives.connect();
    const relay = new RelayClient(client, lease);
    await expect(relay.agents()).resolves.toEqual([]);
    await expect(relay.deliveries(waiting.messageId)).resolves.toMatchObject([
      { state: "dead_lettered", reason: "released" },
    ]);
    await expect(relay.inbox({ of: "human:kim" })).resolves.toHaveLength(1);
    await first[Symbol.asyncDispose]();
  });
});
