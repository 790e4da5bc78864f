import { AgentOs, isAgentOsError } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

const MIB = 1024 * 1024;

useWorld();

/** A program that is traced by another: what PTRACE_TRACEME and reading its memory answer. */
const TRACE = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def said(result):
    return "ok" if result >= 0 else os.strerror(ctypes.get_errno())
child = os.fork()
if child == 0:
    result = libc.ptrace(0, 0, 0, 0)
    print("traceme", said(result), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print("attach-init", said(libc.ptrace(16, 1, 0, 0)))
print("mount", said(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)))
`;

async function traced(os: AgentOs): Promise<string[]> {
  return (await os.exec(["python3", "-c", TRACE])).stdout.trim().split("\n");
}

describe("what programs see and may call", () => {
  test("[inside.processors] nproc agrees with the limit on processors", async () => {
    await using os = await AgentOs.create({ limits: { cpus: 1, memoryBytes: 256 * MIB } });
    const { limits } = await os.info();
    const isHeld = limits.cpus.enforcement === "hard";
    const { stdout } = await os.exec("nproc; node -p 'os.availableParallelism()'");
    expect(isHeld ? stdout : "1\n1\n").toBe("1\n1\n");
  });

  test("[inside.memory] /proc/meminfo agrees with a limit on memory that holds", async () => {
    await using os = await AgentOs.create({ limits: { memoryBytes: 256 * MIB } });
    const { limits } = await os.info();
    const isHeld = limits.memoryBytes.enforcement === "hard";
    const { stdout } = await os.exec("node -p 'os.totalmem()'; free -b | awk '/Mem:/ {print $2}'");
    expect(isHeld ? stdout : `${256 * MIB}\n${256 * MIB}\n`).toBe(`${256 * MIB}\n${256 * MIB}\n`);
    expect((await os.exec("echo x > /proc/meminfo")).exitCode).not.toBe(0);
  });

  test("[limits.watches] programs watch no more than they may, and can't raise it", async () => {
    await using os = await AgentOs.create({ limits: { watches: 5, require: ["watches"] } });
    const watch = `
      const { mkdirSync, watch } = require("node:fs");
      let made = 0;
      try { for (; made < 20; made += 1) { mkdirSync("d" + made); watch("d" + made, () => {}); } }
      catch (error) { console.log(made, error.code); }
      process.exit();
    `;
    expect((await os.exec(["node", "-e", watch])).stdout).toBe("5 ENOSPC\n");
    const raise = "echo 1000 > /proc/sys/user/max_inotify_watches";
    expect((await os.exec(raise)).exitCode).not.toBe(0);
    await os.fs.mkdir("/workspace/many");
    await os.exec("cd many && mkdir $(seq 10)");
    // A watch of ours is one of the VM's.
    await using told = await os.fs.watch("/workspace/many", { recursive: true });
    for await (const { kind } of told) {
      expect(kind).toBe("overflow");
      break;
    }
  });

  test("[walls.debug] only a VM of the debug profile has programs that trace, and PID 1 is none's", async () => {
    await using os = await AgentOs.create();
    await using debugged = await AgentOs.create({ security: { profile: "debug" } });
    const refused = "Operation not permitted";
    expect(await traced(os)).toEqual([
      `traceme ${refused}`,
      `attach-init ${refused}`,
      `mount ${refused}`,
    ]);
    expect(await traced(debugged)).toEqual([
      "traceme ok",
      `attach-init ${refused}`,
      `mount ${refused}`,
    ]);
    expect((await debugged.info()).security).toEqual({ profile: "debug" });
    const options: object = { security: { profile: "none" } };
    const error = await AgentOs.create(options).catch((thrown: unknown) => thrown);
    expect(isAgentOsError(error, "INVALID_ARGUMENT")).toBe(true);
  });
});
