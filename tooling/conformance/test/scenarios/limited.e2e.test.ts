import { AgentOs, type LimitHit } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

const MIB = 1024 * 1024;
const MEMORY = { limit: "memoryBytes", value: 96 * MIB } as const;
const REACHED = { name: "memoryBytes", value: 96 * MIB };
/** More than it may have. */
const BOMB = "head -c 300m /dev/zero | tail -c 299m > /dev/null";
const NODE_BOMB =
  "const kept = []; for (let at = 0; at < 40; at++) kept.push(Buffer.alloc(10485760, 1))";

useWorld();

const SMALL = { limits: { memoryBytes: 96 * MIB } };

async function holdsMemory(os: AgentOs): Promise<boolean> {
  return (await os.info()).limits.memoryBytes.enforcement === "hard";
}

function listened(os: AgentOs): LimitHit[] {
  const hits: LimitHit[] = [];
  os.onLimit((hit) => hits.push(hit));
  return hits;
}

describe("an end at a limit", () => {
  test("[limited.memory] is limited, with its name and value, for the program and for its shell", async () => {
    await using os = await AgentOs.create(SMALL);
    const isHard = await holdsMemory(os);
    const held = { outcome: "limited", limit: REACHED };
    const program = await os.exec(["node", "-e", NODE_BOMB]);
    const shell = await os.exec(`node -e '${NODE_BOMB}'; exit $?`);
    expect(program).toMatchObject(isHard ? { ...held, signal: "SIGKILL" } : { exitCode: 0 });
    expect(shell).toMatchObject(isHard ? { ...held, exitCode: 137 } : { exitCode: 0 });
    const spawned = await os.spawn(["node", "-e", NODE_BOMB]);
    expect(await spawned.exited).toMatchObject(isHard ? held : { exitCode: 0 });
    expect(await os.exec("echo fine")).toMatchObject({ outcome: "exited", stdout: "fine\n" });
  });

  test("[limited.own-kill] a SIGKILL of its own is signaled", async () => {
    await using os = await AgentOs.create(SMALL);
    expect(await os.exec("kill -KILL $$")).toMatchObject({ outcome: "signaled" });
    const end = await os.exec("sh -c 'kill -KILL $$'; exit $?");
    expect(end).toMatchObject({ outcome: "exited", exitCode: 137 });
    expect(end.limit).toBe(undefined);
  });

  test("[limited.moment] a kill inside a program that goes on is told at the moment", async () => {
    await using os = await AgentOs.create(SMALL);
    const hits = listened(os);
    const told = (await holdsMemory(os)) ? MEMORY : undefined;
    await using running = await os.spawn(["sh", "-c", `${BOMB}; echo over it; sleep 1000`]);
    const reader = running.stdout.getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("over it\n");
    await expect.poll(() => hits[0], { timeout: 10_000 }).toEqual(told);
    const commands = async () => (await os.processes()).map(({ command }) => command);
    await expect.poll(commands, { timeout: 10_000 }).toContain("sleep 1000");
  });

  test("[limited.wall] at wallMs an exec and a process end as limited, with their output", async () => {
    await using os = await AgentOs.create({ limits: { wallMs: 1_500 } });
    const hits = listened(os);
    const spawned = await os.spawn(["sleep", "1000"]);
    const [exec, process] = await Promise.all([os.exec("echo begun; sleep 1000"), spawned.exited]);
    const limit = { name: "wallMs", value: 1_500 };
    const end = { outcome: "limited", limit, exitCode: null, signal: "SIGKILL" };
    expect(exec).toMatchObject({ ...end, stdout: "begun\n" });
    expect(process).toMatchObject(end);
    expect(hits).toEqual([{ limit: "wallMs", value: 1_500 }]);
    await expect
      .poll(() => os.exec("true").catch((error: unknown) => error))
      .toMatchObject({
        code: "VM_ENDED",
        details: { reason: "expired" },
      });
  });

  test("[limited.output] dropped output names its limit and is no end", async () => {
    await using os = await AgentOs.create();
    const end = await os.exec("seq 1000", { maxOutputBytes: 100 });
    const limit = { name: "maxOutputBytes", value: 100 };
    expect(end).toMatchObject({ outcome: "exited", exitCode: 0, truncated: true, limit });
    expect((await os.exec("seq 10", { maxOutputBytes: 100 })).limit).toBe(undefined);
  });

  test("[limited.disk] a full disk is an event with its value", async () => {
    await using os = await AgentOs.create({ limits: { diskBytes: 4 * MIB } });
    const hits = listened(os);
    const hit = { limit: "diskBytes", value: 4 * MIB };
    expect(await os.exec("cat /dev/zero > /workspace/x")).toMatchObject({ outcome: "exited" });
    await expect.poll(() => hits).toEqual([hit]);
    await expect(os.fs.writeFile("/workspace/y", "more")).rejects.toMatchObject({
      errno: "ENOSPC",
    });
    await os.fs.rm("/workspace/x");
    await os.exec("false");
    expect(hits.every((each) => each.limit === "diskBytes")).toBe(true);
  });
});

describe("limits that the sidecar itself holds", () => {
  test("[limits.output] [limits.near] who has written all that it may ends as limited, until there is more", async () => {
    await using os = await AgentOs.create({ limits: { outputBytes: MIB } });
    const told: string[] = [];
    os.onLimitNear(({ limit, value }) => told.push(`near ${limit} ${value}`));
    os.onLimit(({ limit, value }) => told.push(`hit ${limit} ${value}`));
    const limit = { name: "outputBytes", value: MIB };
    const flood = await os.exec("cat /dev/zero");
    expect(flood).toMatchObject({ outcome: "limited", signal: "SIGKILL", limit });
    expect(flood.stdout.length).toBeLessThan(3 * MIB);
    expect(await os.exec("sleep 100")).toMatchObject({ outcome: "limited", limit });
    expect(told).toEqual([`near outputBytes ${MIB}`, `hit outputBytes ${MIB}`]);
    expect((await os.stats()).outputBytes).toBeGreaterThan(MIB);
    const { limits } = await os.setLimits({ outputBytes: 64 * MIB });
    expect(limits.outputBytes).toEqual({ value: 64 * MIB, enforcement: "hard" });
    expect(await os.exec("echo again")).toMatchObject({ outcome: "exited", stdout: "again\n" });
  });

  test("[limits.lasting-disk] the disk of a named VM is counted, and who fills it ends as limited", async () => {
    await using os = await AgentOs.create({ name: "counted", limits: { diskBytes: 16 * MIB } });
    const { diskBytes } = (await os.info()).limits;
    expect(diskBytes).toEqual({ value: 16 * MIB, enforcement: "soft" });
    const filler = await os.spawn(
      "head -c 24m /dev/zero > big; mkdir -p a/b; echo full; sleep 1000",
    );
    await filler.stdout.getReader().read();
    // Whoever asks has it counted.
    await expect
      .poll(async () => (await os.stats()).diskBytes, { timeout: 20_000 })
      .toBeGreaterThan(24 * MIB - 1);
    const limit = { name: "diskBytes", value: 16 * MIB };
    expect(await filler.exited).toMatchObject({ outcome: "limited", limit });
    expect(await os.exec("sleep 100")).toMatchObject({ outcome: "limited", limit });
    await os.setLimits({ diskBytes: 64 * MIB });
    expect(await os.exec("rm big; echo freed")).toMatchObject({ stdout: "freed\n" });
    await os.end();
  });

  test("[limits.output-rate] output comes no more quickly than it may, whole", async () => {
    await using os = await AgentOs.create({ limits: { outputRate: 512 * 1024 } });
    expect((await os.info()).limits.outputRate.enforcement).toBe("soft");
    const startedAt = performance.now();
    const { stdout } = await os.exec("head -c 1572864 /dev/zero | tr '\\0' x");
    expect(stdout).toBe("x".repeat(1_572_864));
    // A second's worth may come at once, and a window.
    expect(performance.now() - startedAt).toBeGreaterThan(1_000);
  });

  test("[limits.terminals] [bad.held-limits] no more terminals run than may", async () => {
    await using os = await AgentOs.create({ limits: { terminals: 1 } });
    await using first = await os.openTerminal({ cols: 80, rows: 24 });
    await expect(os.openTerminal({ cols: 80, rows: 24 })).rejects.toMatchObject({
      code: "POOL_EXHAUSTED",
      details: { limit: "terminals", capacity: 1 },
    });
    expect((await os.stats()).terminals).toBe(1);
    await os.setLimits({ terminals: 2 });
    await using second = await os.openTerminal({ cols: 80, rows: 24 });
    expect(second.id).not.toBe(first.id);
    await expect(os.setLimits({ terminals: -1 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const soft = { outputRate: 10_000, require: ["outputRate" as const] };
    await expect(AgentOs.create({ limits: soft })).rejects.toMatchObject({
      code: "UNSUPPORTED_LIMIT",
      details: { limit: "outputRate", offered: "soft" },
    });
  });
});
