import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { runCommandLine } from "../src/program.ts";
import { createFakeIo } from "./fake-io.ts";

const COMMANDS = ["demo", "doctor", "run", "exec", "ps", "cp", "logs", "up", "down"];
let directory: string;
let saved: string | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "agentos-cli-"));
  saved = process.env["AGENTOS_RUNTIME_DIR"];
  process.env["AGENTOS_RUNTIME_DIR"] = join(directory, "r");
});

afterEach(() => {
  if (saved === undefined) delete process.env["AGENTOS_RUNTIME_DIR"];
  else process.env["AGENTOS_RUNTIME_DIR"] = saved;
  rmSync(directory, { recursive: true });
});

describe("wrong arguments print the usage, exit with 64 and start nothing", () => {
  test.each([
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["run"], "missing required argument 'cmd'"],
    [["run", "--"], "missing required argument 'cmd'"],
    [["run", "--frob", "--", "true"], "unknown option '--frob'"],
    [["run", "--name", "Not A Name", "--", "true"], "Expected 1 to 63 characters"],
    [["run", "--memory", "lots", "--", "true"], "Expected a size such as 512m or 4g."],
    [["run", "--memory", "1m", "--", "true"], "Expected at least 16m."],
    [["run", "--disk", "1k", "--", "true"], "Expected at least 1m."],
    [["run", "--cpus", "0", "--", "true"], "Expected a number above 0."],
    [["run", "--pids", "1.5", "--", "true"], "Expected a whole number."],
    [["run", "--timeout", "-1", "--", "true"], "Expected a number above 0."],
    [["run", "--env", "=x", "--", "true"], "Expected NAME=value."],
    [["run", "--env", "MISSING", "--", "true"], "MISSING is not set here"],
    [["run", "--read-only", "--", "true"], "--read-only needs --mount"],
    [["run", "--map-owner", "--", "true"], "--map-owner needs --mount"],
    [["run", "--mount", "--no-copy", "--", "true"], "exclude each other"],
    [["run", "--cwd", "relative", "--", "true"], "Expected an absolute path"],
    [["exec"], "missing required argument 'vm'"],
    [["exec", "dev"], "missing required argument 'cmd'"],
    [["exec", "dev", "--"], "missing required argument 'cmd'"],
    [["exec", "dev", "--timeout", "1", "--", "true"], "expected --timeout before VM"],
    [["exec", "../dev", "--", "true"], "Expected a VM's name or id"],
    [["exec", "--timeout", "soon", "dev", "--", "true"], "Expected a number above 0."],
    [["ps", "a", "b"], "too many arguments"],
    [["ps", "a/b"], "Expected a VM's name or id"],
    [["ps", "--use", "a"], "--use is for the list of VMs"],
    [["doctor", "linux"], "too many arguments"],
    [["doctor", "--use"], "unknown option '--use'"],
    [["cp", "a"], "missing required argument 'dst'"],
    [["cp", "a", "b"], "exactly one of SRC and DST"],
    [["cp", "a:x", "b:y"], "exactly one of SRC and DST"],
    [["logs", "dev"], "missing required argument 'process'"],
    [["up", "extra"], "too many arguments"],
    [["down", "--force"], "unknown option '--force'"],
    [["demo", "--pool"], "argument missing"],
  ])("%j", async (args, message) => {
    const io = createFakeIo();
    expect(await runCommandLine(args, io)).toBe(64);
    expect(io.printed.stdout).toBe("");
    expect(io.printed.stderr).toMatch(/^agentos: /);
    expect(io.printed.stderr).toContain(message);
    expect(io.printed.stderr).toMatch(/^usage: agentos/m);
    expect(existsSync(join(directory, "r"))).toBe(false);
  });

  test("no command at all", async () => {
    const io = createFakeIo();
    expect(await runCommandLine([], io)).toBe(64);
    expect(io.printed.stderr).toContain("Usage: agentos");
  });
});

describe("help", () => {
  test("lists every command and the exit codes", async () => {
    const io = createFakeIo();
    expect(await runCommandLine(["--help"], io)).toBe(0);
    for (const command of COMMANDS)
      expect(io.printed.stdout).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
    expect(io.printed.stdout).toContain("Exit codes: 0 ok");
  });

  test.each(COMMANDS)("of %s names its options, --pool and --json among them", async (command) => {
    const io = createFakeIo();
    expect(await runCommandLine([command, "--help"], io)).toBe(0);
    expect(io.printed.stdout).toContain(`Usage: agentos ${command}`);
    expect(io.printed.stdout).toMatch(/--pool <name>[^]*--json/);
  });

  test("--version is one line", async () => {
    const io = createFakeIo();
    expect(await runCommandLine(["--version"], io)).toBe(0);
    expect(io.printed.stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
  });
});
