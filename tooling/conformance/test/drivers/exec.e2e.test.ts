import { AgentOs } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "../scenarios/world.ts";
import { DRIVERS_HERE } from "./each-driver.ts";

useWorld();

describe.each(DRIVERS_HERE)("exec and spawn on %s", (driver) => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create({ driver });
  });
  afterAll(() => os.dispose());

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
    expect((await os.exec(["echo", "a  b", "$HOME", "c'd"])).stdout).toBe("a  b $HOME c'd\n");
    expect((await os.exec("pwd; echo $X $HOME", { env: { X: "y" } })).stdout).toBe(
      "/workspace\ny /home/agent\n",
    );
  });

  test("[exec.timeout] [exec.cancel] a time-out and a cancel end what runs", async () => {
    const late = await os.exec("echo begun; sleep 5321; echo never", { timeoutMs: 300 });
    expect(late).toMatchObject({
      exitCode: null,
      signal: "SIGKILL",
      outcome: "timed-out",
      stdout: "begun\n",
    });
    const busy = await os.exec("while :; do :; done", { timeoutMs: 100 });
    expect(busy).toMatchObject({ signal: "SIGKILL", outcome: "timed-out" });
    const controller = new AbortController();
    const cancelled = await os.exec("echo begun; sleep 5321; echo never", {
      signal: controller.signal,
      onStdout: () => controller.abort(),
    });
    expect(cancelled).toMatchObject({ outcome: "cancelled", stdout: "begun\n" });
    let left = await os.processes();
    while (left.some(({ command }) => command.includes("5321"))) left = await os.processes();
    expect((await os.exec("echo usable")).stdout).toBe("usable\n");
  });

  test("[exec.truncated] output past the bound is dropped and said", async () => {
    const result = await os.exec("seq 1 100000; echo done >&2", { maxOutputBytes: 1000 });
    expect(result).toMatchObject({ exitCode: 0, truncated: true, stderr: "done\n" });
    expect(result.stdout).toHaveLength(1000);
    expect(result.stdout.startsWith("1\n2\n3\n")).toBe(true);
  });

  test("[exec.stdin] stdin arrives whole and ends", async () => {
    const text = "0123456789\n".repeat(200_000);
    expect((await os.exec("wc -c", { stdin: text })).stdout.trim()).toBe(String(text.length));
    expect((await os.exec("cat", { stdin: text })).stdout).toBe(text);
    expect((await os.exec("cat", { stdin: "ende\u0301 \u{1F600}" })).stdout).toBe(
      "ende\u0301 \u{1F600}",
    );
    expect((await os.exec("cat")).stdout).toBe("");
    const lines = await os.exec('while read line; do echo "<$line>"; done', { stdin: "a b\nc\n" });
    expect(lines.stdout).toBe("<a b>\n<c>\n");
  });

  test("[spawn.streams] a spawned process is read, written, signalled and waited for", async () => {
    const cat = await os.spawn(["cat"], { stdin: "pipe" });
    expect(cat.pid).toBeGreaterThan(1);
    const writer = cat.stdin.getWriter();
    await writer.write(new TextEncoder().encode("hello"));
    await writer.close();
    const parts = [];
    for await (const part of cat.stdout) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe("hello");
    expect(await cat.exited).toMatchObject({ exitCode: 0, outcome: "exited" });
    const sleeper = await os.spawn(["sleep", "7654"]);
    expect((await os.processes()).find(({ pid }) => pid === sleeper.pid)).toMatchObject({
      command: "sleep 7654",
      processId: sleeper.id,
    });
    await sleeper.kill("SIGTERM");
    expect(await sleeper.exited).toMatchObject({ signal: "SIGTERM", outcome: "signaled" });
  });

  test("[spawn.back-pressure] an unread stream stops its program, not its neighbours", async () => {
    const script = "x=$(seq 1 2000); while echo $x; do i=$((i+1)); echo $i > /tmp/count; done";
    const flood = await os.spawn(["bash", "-c", script]);
    let before = "";
    let after = "x";
    while (before !== after || after === "") {
      before = after;
      after = (await os.exec("sleep 0.2; cat /tmp/count")).stdout;
    }
    expect((await os.exec("echo neighbour")).stdout).toBe("neighbour\n");
    await flood.kill("SIGKILL");
    expect(await flood.exited).toMatchObject({ signal: "SIGKILL" });
  });

  test("[bad.command] [bad.permission] what can't be run says so before it starts", async () => {
    await expect(os.exec(["no-such-program", "x"])).rejects.toMatchObject({
      code: "COMMAND_NOT_FOUND",
      details: { command: "no-such-program", exitCode: 127 },
    });
    const shell = await os.exec("no-such-program");
    expect(shell.exitCode).toBe(127);
    expect(shell.stderr).toContain("no-such-program");
    await os.fs.writeFile("/tmp/plain", "#!/bin/sh\n");
    await expect(os.exec(["/tmp/plain"])).rejects.toMatchObject({
      code: "COMMAND_NOT_EXECUTABLE",
      details: { command: "/tmp/plain", exitCode: 126 },
    });
    await os.fs.chmod("/tmp/plain", 0o755);
    expect((await os.exec(["/tmp/plain"])).exitCode).toBe(0);
  });

  test("[bad.arguments] a huge argument list is refused", async () => {
    const words = Array.from({ length: 900 }, () => "x".repeat(1024));
    await expect(os.exec(["echo", ...words])).rejects.toMatchObject({ code: "ARGUMENTS_TOO_LONG" });
    expect((await os.exec(["echo", "fine"])).stdout).toBe("fine\n");
  });
});
