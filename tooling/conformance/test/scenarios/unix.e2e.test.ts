import { createHash } from "node:crypto";

import { AgentOs } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

useWorld();
const MIB = 1024 * 1024;

describe("unix semantics", () => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create();
  });
  afterAll(() => os.dispose());

  const bash = (script: string) => os.exec(["bash", "-c", script]);

  test("[unix.sigpipe] a pipeline's writer ends by SIGPIPE", async () => {
    const { stdout } = await bash("yes | head -n 1; echo ${PIPESTATUS[@]}");
    expect(stdout).toBe("y\n141 0\n");
  });

  test("[unix.pipefail] pipeline exit codes are true", async () => {
    expect((await bash("false | true")).exitCode).toBe(0);
    expect((await bash("set -o pipefail; (exit 3) | true")).exitCode).toBe(3);
    expect((await os.exec("exit 42")).exitCode).toBe(42);
  });

  test("[unix.background] background jobs and wait work", async () => {
    const { stdout, exitCode } = await bash(
      "(sleep 0.05; exit 7) & wait $!; echo $?; jobs; exit 0",
    );
    expect([stdout, exitCode]).toEqual(["7\n", 0]);
  });

  test("[unix.trap] traps run", async () => {
    const { stdout } = await bash(
      "trap 'echo term' TERM; trap 'echo bye' EXIT; kill -TERM $$; echo on",
    );
    expect(stdout).toBe("term\non\nbye\n");
  });

  test("[unix.group] a process group is signalled as one", async () => {
    const { stdout } = await bash(
      "set -m; (sleep 100 & sleep 100 & wait) & kill -TERM -- -$!; wait $!; echo $?; sleep 0.05; pgrep -c sleep",
    );
    expect(stdout).toBe("143\n0\n");
  });

  test("[unix.timeout] timeout ends a program with 124", async () => {
    expect((await os.exec("timeout 0.05 sleep 100")).exitCode).toBe(124);
  });

  test("[unix.node-child] node starts child processes", async () => {
    const script = `
      const { execFileSync, spawn } = require("node:child_process");
      process.stdout.write(execFileSync("sh", ["-c", "echo one; echo two >&2"], { stdio: ["ignore", "pipe", "inherit"] }));
      spawn("cat", { stdio: ["pipe", "inherit", "inherit"] }).stdin.end("three\\n");`;
    const { stdout, stderr, exitCode } = await os.exec(["node", "-e", script]);
    expect([stdout, stderr, exitCode]).toEqual(["one\nthree\n", "two\n", 0]);
  });

  test("[unix.python-child] python starts child processes", async () => {
    const script =
      "import subprocess,sys; p=subprocess.run(['sh','-c','echo in; exit 5'],capture_output=True,text=True); print(p.stdout.strip(), p.returncode)";
    expect((await os.exec(["python3", "-c", script])).stdout).toBe("in 5\n");
  });

  test("[unix.reopen] /dev/stdout and /dev/stderr can be opened again", async () => {
    const { stdout, stderr } = await bash(
      "echo a > /dev/stdout; echo b | tee /dev/stderr; echo c > /proc/self/fd/2; cat /dev/stdin < /dev/null",
    );
    expect([stdout, stderr]).toEqual(["a\nb\n", "b\nc\n"]);
  });

  test("[unix.size] files have exactly the size written", async () => {
    const { stdout } = await bash(
      "head -c 12345 /dev/urandom > f; stat -c %s f; truncate -s 99 f; stat -c %s f; printf x >> f; wc -c < f",
    );
    expect(stdout).toBe("12345\n99\n100\n");
    expect((await os.fs.stat("/workspace/f")).size).toBe(100);
  });

  test("[unix.ownership] files belong to the VM's user", async () => {
    await os.fs.writeFile("/workspace/mine", "x");
    const { stdout } = await bash(
      "stat -c '%U:%G %u' mine . ~ ; id -un; touch ~/x && echo writable",
    );
    expect(stdout).toBe("agent:agent 1000\nagent:agent 1000\nagent:agent 1000\nagent\nwritable\n");
  });

  test("[unix.big-output] 100 MiB of output arrives whole", async () => {
    const hash = createHash("sha256");
    let bytes = 0;
    const process = await os.spawn(["bash", "-c", "head -c 104857600 /dev/zero | tr '\\0' a"]);
    for await (const chunk of process.stdout) {
      bytes += chunk.byteLength;
      hash.update(chunk);
    }
    expect(await process.exited).toMatchObject({ exitCode: 0, outcome: "exited" });
    expect(bytes).toBe(100 * MIB);
    expect(hash.digest("hex")).toBe(
      createHash("sha256")
        .update(Buffer.alloc(100 * MIB, "a"))
        .digest("hex"),
    );
  });

  test("[unix.big-file] a 100 MiB file goes in and out whole", async () => {
    const content = Buffer.alloc(100 * MIB);
    for (let at = 0; at < content.length; at += 4096) content.writeUInt32LE(at, at);
    await os.fs.writeFile("/workspace/big", content);
    const { stdout } = await os.exec("sha256sum < big; stat -c %s big");
    const expected = createHash("sha256").update(content).digest("hex");
    expect(stdout).toBe(`${expected}  -\n${content.length}\n`);
    const back = await os.fs.readFile("/workspace/big");
    expect(createHash("sha256").update(back).digest("hex")).toBe(expected);
    await os.fs.rm("/workspace/big");
  });

  test("[unix.quick] 1,000 quick execs lose no trailing byte", async () => {
    for (let round = 0; round < 1000; round += 1) {
      const { stdout, exitCode } = await os.exec([
        "printf",
        "line %d\nlast %d",
        String(round),
        String(round),
      ]);
      expect([stdout, exitCode]).toEqual([`line ${round}\nlast ${round}`, 0]);
    }
  });

  test("[unix.tools] git, node and a compiler run", async () => {
    const { stdout, stderr, exitCode } = await bash(`set -e
      git init -q repo && cd repo
      git config user.email a@example.invalid && git config user.name a
      printf 'int main(void){return 6;}' > six.c && git add . && git commit -qm one && git log --oneline | wc -l
      cc -o six six.c && { ./six || echo $?; }
      node -p 'process.versions.node.split(".").length'
      which node`);
    expect([stdout, stderr, exitCode]).toEqual(["1\n6\n3\n/opt/agentos/bin/node\n", "", 0]);
  });
});
