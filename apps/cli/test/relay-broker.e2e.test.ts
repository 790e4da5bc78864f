import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { V1Client } from "./relay-broker/v1-client.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const PYTHON_CLIENT = fileURLToPath(new URL("relay-broker/v1_client.py", import.meta.url));
/** Reads lines for ever; says each, ends with the code that one asks for, and leaves a sign of life. */
const LOOP = `
touch started
while :; do date +%s%N > alive; sleep 0.1; done &
while printf '> '; IFS= read -r line; do
  echo "got: $line"
  echo "$line" >> heard
  case $line in
    *exit-3*) exit 3;;
    *busy*) [ -e once ] || { touch once; while :; do echo busy; sleep 0.1; done; };;
  esac
done
`;

/** A program that has the broker for a child, as a client has: its pipes end with it. */
const PARENT = `
const [program, ...args] = process.argv.slice(1);
const stdio = ["pipe", "inherit", "inherit"];
process.stdin.pipe(require("node:child_process").spawn(program, args, { stdio }).stdin);
`;

let directory: string;
let link: string;
let env: Record<string, string>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agentos-broker-"));
  await mkdir(join(directory, "work"));
  await writeFile(join(directory, "work/loop.sh"), LOOP);
  // As its clients look for it.
  link = join(directory, "agent-relay-broker");
  await symlink(MAIN, link);
  env = {
    PATH: process.env["PATH"] ?? "",
    HOME: directory,
    TMPDIR: directory,
    AGENTOS_RUNTIME_DIR: join(directory, "r"),
    AGENTOS_STATE_DIR: join(directory, "s"),
  };
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function start(wrapper: readonly string[] = [], more: readonly string[] = []) {
  const own = [process.execPath, link, "init", "--name", "e2e", ...more];
  const [program = process.execPath, ...words] = [...wrapper, ...own];
  const child = execa(program, words, {
    cwd: join(directory, "work"),
    env,
    extendEnv: false,
    reject: false,
    buffer: { stdout: false },
    stdin: "pipe",
  });
  return { child, client: new V1Client(child.stdin, child.stdout) };
}

const agentIn = (cwd: string) => ({ runtime: "pty", cli: "bash", args: ["./loop.sh"], cwd });

describe("agentos relay-broker", () => {
  test("[broker.end-to-end] an agent in a VM on its own directory: task, message, input, its code, and the end", async () => {
    const { child, client } = start();
    const work = join(directory, "work");
    await client.ask("hello");
    const agent = { name: "Ann", ...agentIn(work), channels: ["general"] };
    await client.result("spawn_agent", { agent, initial_task: "the first task" });
    await client.event("worker_ready", { name: "Ann" });
    await expect
      .poll(() =>
        client.events
          .filter(({ kind }) => kind === "worker_stream")
          .map(({ chunk }) => chunk)
          .join(""),
      )
      .toContain("got: the first task");
    const { event_id, targets } = await client.result("send_message", {
      to: "#general",
      text: "hello all",
    });
    expect(targets).toEqual(["Ann"]);
    await client.event("delivery_ack", { event_id });
    expect(client.kinds({ event_id }).slice(0, 2)).toEqual(["relay_inbound", "delivery_queued"]);
    // It works in the directory itself.
    await expect.poll(() => readFile(join(work, "alive"), "utf8")).toMatch(/^\d+/);
    const missing = { name: "Bob", ...agentIn(work), cli: "no-such-program" };
    await expect(client.refusal("spawn_agent", { agent: missing })).resolves.toBe("spawn_failed");
    const typed = await client.result("send_input", { name: "Ann", data: "exit-3\r" });
    expect(typed).toEqual({ name: "Ann", bytes_written: 7 });
    await expect(client.event("agent_exited", { name: "Ann" })).resolves.toMatchObject({ code: 3 });
    await expect(client.result("get_crash_insights")).resolves.toMatchObject({ total_crashes: 1 });
    await client.result("shutdown");
    await expect(child).resolves.toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("[broker.case-48] its parent is killed: it and its agents are gone", async () => {
    const { child, client } = start([process.execPath, "-e", PARENT]);
    const work = join(directory, "work");
    const agent = { name: "Ann", ...agentIn(work) };
    await client.result("spawn_agent", { agent });
    await expect.poll(() => readFile(join(work, "alive"), "utf8").catch(() => "")).toMatch(/^\d+/);
    child.kill("SIGKILL");
    await client.ended;
    let last = "";
    const isStill = async (): Promise<boolean> => {
      const before = last;
      last = await readFile(join(work, "alive"), "utf8");
      return before === last;
    };
    await expect.poll(isStill, { interval: 300 }).toBe(true);
  });

  test("[broker.case-31] [broker.case-45] with --persist one broker has the directory, and what waited when it was killed arrives once", async () => {
    const work = join(directory, "work");
    const heard = async (): Promise<string[]> =>
      (await readFile(join(work, "heard"), "utf8").catch(() => "")).trimEnd().split("\n");
    const first = start([], ["--persist"]);
    await first.client.result("spawn_agent", { agent: { name: "Ann", ...agentIn(work) } });
    for (const text of ["busy", "second", "third"])
      await first.client.result("send_message", { to: "Ann", text });
    await expect.poll(heard, { timeout: 15_000 }).toEqual([expect.stringContaining("busy")]);
    await expect(readFile(join(work, ".agent-relay/broker.pid"), "utf8")).resolves.toBe(
      `${first.child.pid}\n`,
    );
    await expect(start([], ["--persist"]).child).resolves.toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/another broker works in .*: pid \d+$/),
    });
    first.child.kill("SIGKILL");
    await first.client.ended;
    const { child, client } = start([], ["--persist"]);
    await expect(client.result("list_agents")).resolves.toEqual({ agents: [] });
    await client.result("spawn_agent", { agent: { name: "Ann", ...agentIn(work) } });
    const last = async (): Promise<string> => (await heard()).at(-1) ?? "";
    await expect.poll(last, { timeout: 15_000 }).toContain("third");
    const lines = (await heard()).join("\n");
    for (const text of ["second", "third"]) expect(lines.split(text)).toHaveLength(2);
    await client.result("shutdown");
    await expect(child).resolves.toMatchObject({ exitCode: 0, stderr: "" });
    await expect(readFile(join(work, ".agent-relay/broker.pid"))).rejects.toThrow("ENOENT");
  });

  test("[broker.case-46] a client in Python drives it with its own defaults", async () => {
    const version = await execa("python3", ["-c", "import asyncio; asyncio.timeout"], {
      reject: false,
    });
    if (version.exitCode !== 0) return;
    const binary = JSON.stringify([process.execPath, link]);
    const run = await execa("python3", [PYTHON_CLIENT, binary, join(directory, "work")], {
      env,
      extendEnv: false,
    });
    expect(run.stdout.split("\n")).toEqual(
      expect.arrayContaining(["agent_spawned", "worker_ready", "relay_inbound", "agent_released"]),
    );
  });

  test("[broker.arguments] an unknown argument ends it with 2 and one line that says so", async () => {
    const options = { env, extendEnv: false, reject: false };
    const run = await execa(process.execPath, [link, "init", "--magic"], options);
    expect(run).toMatchObject({ exitCode: 2, stdout: "" });
    expect(run.stderr).toMatch(/^agentos: unknown argument --magic/);
  });

  test("[broker.case-32] [broker.case-34] one that can't start says why in one line, and nothing on stdout", async () => {
    await writeFile(join(directory, "work/.agent-relay"), "");
    const options = { cwd: join(directory, "work"), env, extendEnv: false, reject: false };
    const run = await execa(process.execPath, [link, "init", "--persist"], options);
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr.split("\n")).toEqual([expect.stringMatching(/^agentos: .*\.agent-relay/)]);
  });

  test("[broker.case-53] [broker.case-59] without any network it works, and at every level of logs stdout has frames alone", async () => {
    const { client, child } = start([
      "unshare",
      "-n",
      "env",
      "AGENTOS_LOG=debug",
      "AGENTOS_DEBUG=1",
    ]);
    const lines: string[] = [];
    child.stdout.on("data", (chunk: Buffer) => lines.push(chunk.toString()));
    const agent = { name: "Ann", ...agentIn(join(directory, "work")) };
    await client.result("spawn_agent", { agent });
    const { event_id } = await client.result("send_message", { to: "Ann", text: "hello" });
    await client.event("delivery_ack", { event_id });
    await client.result("shutdown");
    await client.ended;
    for (const line of lines.join("").trimEnd().split("\n"))
      expect(JSON.parse(line)).toMatchObject({ v: 1, type: expect.any(String) });
  });
});
