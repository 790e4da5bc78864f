import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { V1Client } from "./relay-broker/v1-client.ts";

const MAIN = fileURLToPath(new URL("../dist/bin/agentos.js", import.meta.url));
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
    *be-killed*) kill -9 $$;;
    *show-kept*) echo "$(cat kept), changed" > kept; echo "kept: $(cat kept)";;
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

/** Of the log, how the broker is ended there, and the lines that stderr has. */
const LEVELS = [
  ["silent", "shutdown", 0],
  ["error", "input", 0],
  ["warn", "SIGTERM", 0],
  ["info", "SIGINT", 2],
  ["debug", "shutdown", 5],
] as const;

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

/** What runs anywhere with the test's own directory in its environment. */
async function processes(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      return environment.includes(directory) ? [pid] : [];
    }),
  );
  return all.flat();
}

const agentIn = (cwd: string) => ({ runtime: "pty", cli: "bash", args: ["./loop.sh"], cwd });

describe("agentos relay-broker", () => {
  test("[broker.end-to-end] [broker.case-1] [broker.case-2] [broker.case-5] [broker.case-29] an agent in a VM on its own directory: task, message, input, its code or signal, and nothing that is left", async () => {
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
    await client.result("spawn_agent", { agent: { name: "Cem", ...agentIn(work) } });
    const { agents } = await client.result("list_agents");
    expect(agents).toMatchObject([{ name: "Cem", pid: expect.any(Number) }]);
    await client.result("send_input", { name: "Cem", data: "be-killed\r" });
    await expect(client.event("agent_exited", { name: "Cem" })).resolves.toMatchObject({
      code: null,
      signal: "SIGKILL",
    });
    await expect(client.result("get_crash_insights")).resolves.toMatchObject({ total_crashes: 2 });
    await expect(processes()).resolves.not.toEqual([]);
    await client.result("shutdown");
    await expect(child).resolves.toMatchObject({ exitCode: 0, stderr: "" });
    await expect.poll(() => processes()).toEqual([]);
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

  test("[broker.case-31] [broker.case-53] [broker.case-59] without any network stdout has frames alone at every level of logs, and each way to end it is clean", async () => {
    const run = async ([level, end, lines]: (typeof LEVELS)[number]): Promise<void> => {
      const { client, child } = start(["unshare", "-n", "env", `AGENTOS_LOG=${level}`]);
      const told: string[] = [];
      child.stdout.on("data", (chunk: Buffer) => told.push(chunk.toString()));
      const agent = { name: "Ann", ...agentIn(join(directory, "work")) };
      await client.result("spawn_agent", { agent });
      const { event_id } = await client.result("send_message", { to: "Ann", text: "a-secret" });
      await client.event("delivery_ack", { event_id });
      if (end === "shutdown") await client.result("shutdown");
      else if (end === "input") client.end();
      else child.kill(end);
      const { exitCode, stderr } = await child;
      expect([level, exitCode, stderr === "" ? 0 : stderr.split("\n").length]).toEqual([
        level,
        0,
        lines,
      ]);
      expect(stderr).not.toContain("a-secret");
      for (const line of told.join("").trimEnd().split("\n"))
        expect(JSON.parse(line)).toMatchObject({ v: 1, type: expect.any(String) });
    };
    await Promise.all(LEVELS.map(run));
  });

  test("[broker.presets] programs with presets of their own are started with their model, become ready, and are written to", async () => {
    const work = join(directory, "work");
    const standIn = `#!/bin/bash\necho "$(basename "$0") $*" >> calls\n. ./loop.sh\n`;
    const names = ["aider", "goose", "droid", "cursor-agent"];
    await mkdir(join(work, "bin"));
    for (const name of names) await writeFile(join(work, "bin", name), standIn, { mode: 0o755 });
    const { client } = start();
    await Promise.all(
      names.map(async (name) => {
        const agent = { name, ...agentIn(work), cli: `./bin/${name}`, args: ["-v"], model: "m-1" };
        await client.result("spawn_agent", { agent });
        await expect(client.event("worker_ready", { name })).resolves.toMatchObject({
          readiness: "assumed",
        });
        const { event_id } = await client.result("send_message", { to: name, text: "hello" });
        // What a terminal has shown is an echo: the one thing that is verified there.
        await expect(client.event("delivery_verified", { event_id })).resolves.toMatchObject({
          name,
          verification: "echo",
        });
      }),
    );
    const { agents } = await client.result("list_agents");
    expect(agents).toMatchObject([
      { name: "aider", model: "m-1" },
      { name: "goose", model: "m-1" },
      { name: "droid", model: null },
      { name: "cursor-agent", model: null },
    ]);
    const heard = await readFile(join(work, "heard"), "utf8");
    expect(heard.match(/hello$/gm)).toHaveLength(4);
    const calls = (await readFile(join(work, "calls"), "utf8")).trimEnd().split("\n").toSorted();
    expect(calls).toEqual([
      "aider --model m-1 -v",
      "cursor-agent -v",
      "droid -v",
      "goose --model m-1 -v",
    ]);
    client.end();
    await client.ended;
  });

  test("[broker.copy] agents work on a copy of their directory with --copy; a driver that can't be had is refused", async () => {
    const work = join(directory, "work");
    await writeFile(join(work, "kept"), "as it was");
    const { client } = start([], ["--copy"]);
    await client.result("spawn_agent", { agent: { name: "Ann", ...agentIn(work) } });
    const data = "copied\r";
    await client.result("send_input", { name: "Ann", data });
    const said = (): string =>
      client.events
        .filter(({ kind }) => kind === "worker_stream")
        .map(({ chunk }) => chunk)
        .join("");
    await client.result("send_message", { to: "Ann", text: "show-kept" });
    await expect.poll(said, { timeout: 15_000 }).toContain("kept: as it was, changed");
    await expect(readFile(join(work, "kept"), "utf8")).resolves.toBe("as it was");
    await expect(readdir(work)).resolves.toEqual(["kept", "loop.sh"]);
    client.end();
    await client.ended;
    const other = start([], ["--driver", "no-such-driver"]);
    const agent = { name: "Ann", ...agentIn(work) };
    const refused = await other.client.ask("spawn_agent", { agent });
    expect(refused.payload).toMatchObject({
      code: "spawn_failed",
      message: expect.stringContaining("no-such-driver"),
    });
    other.client.end();
    await other.client.ended;
  });

  test("[broker.arguments] a level of logs that is none ends it with one line that says so", async () => {
    const options = { env: { ...env, AGENTOS_LOG: "loud" }, extendEnv: false, reject: false };
    const run = await execa(process.execPath, [link, "init"], options);
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toMatch(/^agentos: AGENTOS_LOG: expected silent, error, .*, got loud$/);
  });
});
