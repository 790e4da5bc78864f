import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

const world = useWorld();

async function end(): Promise<void> {
  const sidecar = await AgentOs.getSharedSidecar();
  await sidecar.shutdown();
}

async function kill(): Promise<void> {
  const { pid } = await (await AgentOs.getSharedSidecar()).info();
  process.kill(pid, "SIGKILL");
}

function discoveryFiles(): string[] {
  const run = join(world.directory, "run");
  if (!existsSync(run)) return [];
  return readdirSync(run, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith("sidecar.json"),
  );
}

describe("listing and ending VMs", () => {
  test("[list.none] without a sidecar there are none, and none is started", async () => {
    expect(await AgentOs.list()).toEqual([]);
    expect(await (await AgentOs.getSharedSidecar()).find()).toBe(undefined);
    expect(discoveryFiles()).toEqual([]);
    await using os = await AgentOs.create();
    expect((await AgentOs.list()).map(({ vmId }) => vmId)).toEqual([os.id]);
    await end();
    expect(await AgentOs.list()).toEqual([]);
    expect(discoveryFiles()).toEqual([]);
  });

  test("[list.killed] after a kill -9 the list is what the sidecar left", async () => {
    await using os = await AgentOs.create({ name: "left" });
    await kill();
    expect((await AgentOs.list()).map(({ name }) => name)).toEqual(["left"]);
    await os.end();
  });

  test("[end.named] a named VM ends for good, and everyone hears of it", async () => {
    await using os = await AgentOs.create({ name: "dev" });
    await using other = await AgentOs.attach("dev");
    await os.exec("echo kept > file");
    const running = other.exec("sleep 1000").catch((error: unknown) => error);
    await os.end();
    expect(await running).toMatchObject({ code: "VM_ENDED", details: { reason: "ended" } });
    for (const each of [os, other])
      await expect(each.exec("true")).rejects.toMatchObject({ code: "VM_ENDED" });
    await os.end();
    expect(await AgentOs.list()).toEqual([]);
    await using next = await AgentOs.create({ name: "dev" });
    await expect(next.fs.exists("/workspace/file")).resolves.toBe(false);
    expect(await AgentOs.end("dev")).toBe(true);
  });

  test("[end.named] one that nobody holds, and is frozen, ends too", async () => {
    const os = await AgentOs.create({ name: "parked" });
    await os.spawn(["sleep", "1000"], { output: "logged" });
    await os.dispose();
    expect(await AgentOs.end("parked")).toBe(true);
    expect(await AgentOs.list()).toEqual([]);
  });

  test("[end.repeated] what has ended is said to have ended; what never was is NOT_FOUND", async () => {
    const os = await AgentOs.create({ name: "once" });
    expect(await AgentOs.end(os.id)).toBe(true);
    expect(await AgentOs.end(os.id)).toBe(false);
    expect(await AgentOs.end("once")).toBe(false);
    await os.dispose();
    await expect(AgentOs.end("never-was")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("[end.fence] whoever was taken over can't end it", async () => {
    await using os = await AgentOs.create({ name: "fenced" });
    await using taker = await AgentOs.attach("fenced", { mode: "takeover" });
    await expect(os.end()).rejects.toMatchObject({ code: "FENCED" });
    expect((await taker.exec("echo here")).stdout).toBe("here\n");
    await taker.end();
  });

  test("[end.past] an ended VM of an earlier life says how it ended", async () => {
    const os = await AgentOs.create({ name: "past" });
    await os.end();
    await using keeping = await AgentOs.create();
    await kill();
    await keeping.exec("true");
    await expect(AgentOs.attach(os.id)).rejects.toMatchObject({
      code: "VM_ENDED",
      details: { reason: "ended" },
    });
    expect(await AgentOs.end("past")).toBe(false);
  });
});
