import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

const world = useWorld();
const PROBES = join(import.meta.dirname, "../../probe");
/** A shorter word stands in too many files by chance. */
const MIN_WORD = 6;

interface Expected {
  readonly exactly: Readonly<Record<string, unknown>>;
  /** Nothing else than these; some may be missing, as kernels differ. */
  readonly among: Readonly<Record<string, readonly string[]>>;
  /** By processor. */
  readonly systemCalls: Readonly<
    Record<string, { readonly taken: number[]; readonly refused: number[] } | undefined>
  >;
}
interface Seen extends Record<string, unknown> {
  readonly mounts: readonly string[];
  readonly uidMap: readonly string[];
  readonly gidMap: readonly string[];
  readonly proc: readonly string[];
  readonly writable: readonly string[];
  readonly named: readonly string[];
  readonly secrets: Readonly<Record<string, string>>;
}

const expected: Expected = JSON.parse(readFileSync(join(PROBES, "expected.json"), "utf8"));

describe("what a process in a VM sees and may call", () => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create();
    const binary = join(world.directory, "syscalls");
    execFileSync("cc", ["-static", "-O1", "-o", binary, join(PROBES, "syscalls.c")]);
    await os.fs.writeFile("/tmp/syscalls", readFileSync(binary), { mode: 0o755 });
    await os.fs.writeFile("/tmp/seen.py", readFileSync(join(PROBES, "seen.py")));
  });
  afterAll(() => os.dispose());

  test("[seen.all] it sees what is expected, and nothing else", async () => {
    const words = [hostname(), homedir(), world.directory, process.execPath];
    const seen = await look(words.filter((word) => word.length >= MIN_WORD));
    const { mounts: expectedMounts, ...exactly } = expected.exactly;
    expect(seen).toMatchObject(exactly);
    expect(seen.uidMap).toEqual(["1000", expect.stringMatching(/^[1-9]\d*$/), "1"]);
    expect(seen.gidMap).toEqual(seen.uidMap);
    for (const name of ["proc", "writable", "named"] as const)
      expect(beyond(seen[name], expected.among[name] ?? [])).toEqual([]);
    expect(beyond(Object.values(seen.secrets), expected.among["secrets"] ?? [])).toEqual([]);
    const mounts = seen.mounts
      .map(withoutHostPaths)
      // Where a limit on memory holds, it is shown.
      .filter((mount) => mount !== "/proc/meminfo /opt/agentos/proc/meminfo tmpfs nosuid,nodev");
    // The host's own directories, each where it is there, read-only and without devices and set-id bits.
    const system = mounts.filter((mount) => /^\/(usr|etc|lib|bin|sbin)\S* /.test(mount));
    expect(system.filter((mount) => !/^(\S+) \1 \S+ ro,nosuid,nodev$/.test(mount))).toEqual([]);
    expect(mounts.filter((mount) => !system.includes(mount))).toEqual(expectedMounts);
  });

  test("[seen.calls] the kernel takes the calls that are expected, and no others", async () => {
    const { stdout } = await os.exec(["/tmp/syscalls"]);
    const [taken = [], missing = [], refused = []] = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ").slice(1).map(Number));
    expect(taken.length + missing.length + refused.length).toBeGreaterThan(500);
    const calls = expected.systemCalls[process.arch];
    if (calls === undefined) return;
    expect(beyond(taken, calls.taken)).toEqual([]);
    // The kernel may be older than the list; the filter is not.
    expect(beyond(calls.taken, [...taken, ...missing])).toEqual([]);
    expect(refused).toEqual(calls.refused);
  });

  async function look(words: readonly string[]): Promise<Seen> {
    const command = ["python3", "/tmp/seen.py"];
    const { stdout, stderr } = await os.exec(command, { stdin: JSON.stringify(words) });
    expect(stderr).toBe("");
    const seen: Seen = JSON.parse(stdout);
    return seen;
  }
});

function beyond<T>(found: readonly T[], list: readonly T[]): T[] {
  return found.filter((each) => !list.includes(each));
}

/** What these targets are bound from lies somewhere on the host, on whatever filesystem. */
const FROM_THE_HOST = /^(\/opt\/agentos\/(?:agents|bin\/node|bin\/agentos-tool)) \/\S+ \S+ /;

function withoutHostPaths(mount: string): string {
  return mount.replace(FROM_THE_HOST, "$1 host disk ");
}
