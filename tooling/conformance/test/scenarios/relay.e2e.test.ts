import { AgentOs, Relay } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Pool } from "../chaos/pool.ts";

const MIB = 1024 * 1024;
/** Reads lines; ends as a line asks for it. */
const DIES = `
printf '> '
while IFS= read -r line; do
  case $line in
    *exit-3*) exit 3;;
    *be-killed*) kill -9 $$;;
    *eat*) exec sh -c 'x=$(head -c 400000000 /dev/zero | tr "\\0" x); echo \${#x}';;
  esac
  printf '> '
done
`;

let pool: Pool;
let os: AgentOs;
let everywhere: Relay;

beforeAll(async () => {
  pool = new Pool();
  const sidecar = await pool.sidecar();
  os = await AgentOs.create({ sidecar, limits: { memoryBytes: 96 * MIB } });
  everywhere = Relay.connect({ sidecar });
});
afterAll(async () => {
  await os.dispose();
  await pool[Symbol.asyncDispose]();
});

describe("os.relay and Relay.connect()", () => {
  test("[relay.client] agents, messages, channels, threads, logs and figures, from a VM and without one", async () => {
    const cat = { runtime: "command", command: "cat" } as const;
    const ann = await os.relay.spawn("Ann", { ...cat, task: "the task", channels: ["red"] });
    await os.relay.spawn("Bob", { ...cat, channels: ["red"] });
    await expect(os.relay.spawn("ann", cat)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    for (const runtime of ["pty", "command"])
      // oxlint-disable-next-line no-await-in-loop -- The name is free again only then.
      await expect(os.relay.spawn("Cem", { runtime, command: "no-such" })).rejects.toMatchObject({
        code: "COMMAND_NOT_FOUND",
      });
    await expect(everywhere.agents()).resolves.toMatchObject([{ name: "Ann" }, { name: "Bob" }]);
    const sent = await everywhere.sendAndWait("#red", "to both", { until: "answered" });
    expect(sent.recipients).toEqual(["Ann", "Bob"]);
    await everywhere.join("Bob", "blue");
    await everywhere.leave("Bob", "red");
    await expect(os.relay.channels()).resolves.toEqual([
      { name: "blue", members: ["Bob"] },
      { name: "red", members: ["Ann"] },
    ]);
    const found = await everywhere.search("to both");
    expect(found.map(({ messageId }) => messageId)).toEqual([sent.id]);
    await expect(everywhere.threads()).resolves.toContainEqual(
      expect.objectContaining({
        threadId: sent.threadId,
        participants: expect.arrayContaining(["Ann"]),
      }),
    );
    let log = "";
    for await (const { text } of everywhere.logs("Ann")) log += text;
    expect(log).toContain("the task");
    expect(log).toContain("to both");
    const { agents, relay } = await everywhere.metrics({ name: "ANN" });
    expect(agents).toMatchObject([{ name: "Ann" }]);
    expect(relay).toMatchObject({ active: 2 });
    await os.relay.release("Bob");
    await expect(everywhere.send("Bob", "x")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(everywhere.agent("Bob")).resolves.toMatchObject({ state: "released" });
    await os.relay.release(ann.name);
  });

  test("[relay.client-size] a megabyte goes to an agent and comes back as it was; more is refused", async () => {
    const text = `\u001b[31m${"é🙂\r\n".repeat(100_000)}end`.slice(0, 550_000);
    await os.relay.spawn("Big", {
      runtime: "command",
      command: "sh",
      args: ["-c", "cat >/dev/null; cat /tmp/agentos-messages/* | sha256sum"],
    });
    const sent = await os.relay.sendAndWait("Big", text, { id: "big", until: "answered" });
    const { message } = await everywhere.message(sent.id);
    expect(message.text === text).toBe(true);
    const inVm = await os.fs.readFile("/tmp/agentos-messages/big.txt", "utf8");
    expect(inVm === text).toBe(true);
    await expect(os.relay.send("Big", "x".repeat(MIB + 1))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await os.relay.release("Big");
  });

  test("[relay.deaths] a program that exits, is killed or has no memory is recorded as that, and started again as its policy says", async () => {
    const { limits } = await os.info();
    // Not every user's VM has one.
    const hasLimit = limits.memoryBytes.enforcement === "hard";
    const ends = { exit: "exit-3", signal: "be-killed", ...(hasLimit ? { memory: "eat" } : {}) };
    const start = (name: string) =>
      os.relay.spawn(name, {
        runtime: "pty",
        command: "bash",
        args: ["-c", DIES],
        terminal: { quietMs: 100 },
        restart: { maxRestarts: 1, cooldownMs: 10 },
      });
    await Promise.all(Object.keys(ends).map(start));
    const died = async (type: string, agent: string) => {
      for await (const event of everywhere.events({ agent })) if (event.type === type) return event;
      return undefined;
    };
    const killed = { exitCode: null, signal: "SIGKILL" };
    const how = new Map([["exit", { exitCode: 3, signal: null }]]);
    for (const [name, text] of Object.entries(ends)) {
      await os.relay.input(name, `${text}\n`);
      await died("agent_restarted", name);
      await os.relay.input(name, `${text}\n`);
      await expect(died("agent_exited", name)).resolves.toMatchObject(how.get(name) ?? killed);
      await expect(died("agent_dead", name)).resolves.toMatchObject({
        reason: "exceeded max restarts (1)",
      });
    }
    const { recent, score } = await everywhere.health();
    expect(recent.map(({ agent, category }) => `${agent} ${category}`)).toEqual([
      "exit error",
      "exit error",
      "signal signal",
      "signal signal",
      ...(hasLimit ? ["memory oom", "memory oom"] : []),
    ]);
    expect(score).toBe(100 - 10 * recent.length);
  });
});
