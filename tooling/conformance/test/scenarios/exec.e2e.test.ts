import { AgentOs } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

useWorld();

describe("exec and spawn", () => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create();
  });
  afterAll(() => os.dispose());

  const running = async (name: string): Promise<number> =>
    (await os.processes()).filter(({ command }) => command.includes(name)).length;

  /** Polls the VM's own process list: the condition, not a delay, ends the wait. */
  const untilGone = async (name: string): Promise<number> => {
    let left = await running(name);
    for (let attempt = 0; left > 0 && attempt < 200; attempt += 1) left = await running(name);
    return left;
  };

  test("[exec.streams] stdout, stderr and the exit code are told apart", async () => {
    const heard: string[] = [];
    const result = await os.exec("echo out; echo err >&2; exit 3", {
      onStdout: (text) => heard.push(`out:${text}`),
      onStderr: (text) => heard.push(`err:${text}`),
    });
    expect(result).toMatchObject({
      exitCode: 3,
      signal: null,
      outcome: "exited",
      stdout: "out\n",
      stderr: "err\n",
      truncated: false,
    });
    expect(heard.toSorted()).toEqual(["err:err\n", "out:out\n"]);
  });

  test("[exec.signal] a signalled process says so", async () => {
    const result = await os.exec("kill -SEGV $$");
    expect(result).toMatchObject({ exitCode: null, signal: "SIGSEGV", outcome: "signaled" });
  });

  test("[exec.timeout] a timeout ends the whole session", async () => {
    const result = await os.exec("(sleep 4321 & sleep 4321); echo never", { timeoutMs: 100 });
    expect(result).toMatchObject({
      exitCode: null,
      signal: "SIGKILL",
      outcome: "timed-out",
      stdout: "",
    });
    expect(await untilGone("sleep 4321")).toBe(0);
  });

  test("[exec.cancel] an aborted exec ends its processes", async () => {
    const controller = new AbortController();
    const pending = os.exec("echo begun; sleep 5432 & sleep 5432", {
      signal: controller.signal,
      onStdout: () => controller.abort(),
    });
    expect(await pending).toMatchObject({ outcome: "cancelled", stdout: "begun\n" });
    expect(await untilGone("sleep 5432")).toBe(0);
  });

  test("[exec.truncated] output past the bound is dropped and said", async () => {
    const result = await os.exec("head -c 300000 /dev/zero | tr '\\0' x; echo done >&2", {
      maxOutputBytes: 1000,
    });
    expect(result).toMatchObject({ exitCode: 0, truncated: true, stderr: "done\n" });
    expect(result.stdout).toBe("x".repeat(1000));
  });

  test("[exec.stdin] stdin arrives whole and ends", async () => {
    const text = "0123456789\n".repeat(200_000);
    const { stdout } = await os.exec("wc -c; cat", { stdin: text });
    expect(stdout).toBe(`${text.length}\n`);
    expect((await os.exec("cat", { stdin: "ende\u0301 \u{1F600}" })).stdout).toBe(
      "ende\u0301 \u{1F600}",
    );
    expect((await os.exec("cat")).stdout).toBe("");
    expect((await os.exec("head -c 3", { stdin: text })).stdout).toBe("012");
  });

  test("[exec.background] exec returns though a background child holds the pipe", async () => {
    const { stdout, exitCode } = await os.exec("sleep 6543 & echo started");
    expect([stdout, exitCode]).toEqual(["started\n", 0]);
    expect(await running("sleep 6543")).toBe(1);
    await os.exec("pkill -f 'sleep 6543'");
  });

  test("[spawn.streams] a spawned process is read, written, signalled and waited for", async () => {
    const cat = await os.spawn(["cat"], { stdin: "pipe" });
    expect(cat.pid).toBeGreaterThan(1);
    const writer = cat.stdin.getWriter();
    const reader = cat.stdout.getReader();
    await writer.write(new TextEncoder().encode("hello"));
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("hello");
    await writer.close();
    expect((await reader.read()).done).toBe(true);
    expect(await cat.exited).toMatchObject({ exitCode: 0, outcome: "exited" });
    const sleeper = await os.spawn(["sleep", "7654"]);
    await sleeper.kill("SIGTERM");
    expect(await sleeper.exited).toMatchObject({ signal: "SIGTERM", outcome: "signaled" });
  });

  test("[spawn.back-pressure] an unread stream stops its program, not its neighbours", async () => {
    const flood = await os.spawn([
      "bash",
      "-c",
      "i=0; while printf '%01023d\\n' 0; do i=$((i+1)); echo $i > /tmp/count; done",
    ]);
    let before = "";
    let after = "x";
    while (before !== after || after === "") {
      before = after;
      after = (await os.exec("sleep 0.2; cat /tmp/count")).stdout;
    }
    // A window at the source, the pipe, and what the client reads ahead.
    expect(Number(after)).toBeLessThan(2048);
    expect((await os.exec("echo neighbour")).stdout).toBe("neighbour\n");
    await flood.kill("SIGKILL");
    await flood.exited;
  });

  test("[spawn.group] a process group is killed as one", async () => {
    const parent = await os.spawn(["sh", "-c", "sleep 8765 & sleep 8765 & wait"]);
    while ((await running("sleep 8765")) < 3);
    await parent.kill("SIGKILL", { scope: "group" });
    await parent.exited;
    expect(await untilGone("sleep 8765")).toBe(0);
  });

  test("[logs.readers] a logged process has many readers and drops the oldest", async () => {
    const logged = await os.spawn(
      ["bash", "-c", "for i in $(seq 1 200000); do echo line $i; done"],
      {
        output: "logged",
      },
    );
    await logged.exited;
    const read = async (): Promise<string> => {
      let text = "";
      for await (const { data } of os.logs(logged.id)) text += Buffer.from(data).toString();
      return text;
    };
    const [first, second] = await Promise.all([read(), read()]);
    expect(first).toBe(second);
    expect(first.endsWith("line 199999\nline 200000\n")).toBe(true);
    expect(first).not.toContain("line 10\n");
    expect(first.length).toBeGreaterThan(64 * 1024);
  });

  test("[processes.list] the process list shows the VM's processes", async () => {
    const sleeper = await os.spawn(["sleep", "9876"]);
    const listed = async () => (await os.processes()).find(({ pid }) => pid === sleeper.pid);
    // The kernel lets its parent go on a moment before a new program's arguments can be read.
    await expect.poll(listed).toMatchObject({ command: "sleep 9876" });
    const processes = await os.processes();
    expect(processes.find(({ pid }) => pid === sleeper.pid)).toMatchObject({
      processId: sleeper.id,
      sid: sleeper.pid,
    });
    expect(processes.find(({ pid }) => pid === 1)).toBeDefined();
    expect(processes.length).toBeLessThan(20);
    await sleeper.kill("SIGKILL");
    await sleeper.exited;
  });
});
