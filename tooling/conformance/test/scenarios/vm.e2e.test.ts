import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { filesIn, hasNoStraySocket, mountsHere, processesWith, until, useWorld } from "./world.ts";

const world = useWorld();

describe("a VM's life", () => {
  test("[vm.dispose] dispose leaves no process, mount, socket or file", async () => {
    await using other = await AgentOs.create();
    const run = join(world.directory, "run");
    await until(() => hasNoStraySocket(run));
    const filesBefore = filesIn(run);
    const mountsBefore = mountsHere();
    const marker = `sleep ${9_000_000 + process.pid}`;
    for (let round = 0; round < 5; round += 1) {
      const os = await AgentOs.create();
      await os.exec(`setsid ${marker} >/dev/null 2>&1 & (${marker} &) ; echo x > /tmp/x`);
      expect(processesWith(marker).length).toBeGreaterThan(0);
      await os.dispose();
      expect(processesWith(marker)).toEqual([]);
      await os.dispose();
    }
    await until(() => hasNoStraySocket(run));
    expect(filesIn(run)).toEqual(filesBefore);
    expect(mountsHere()).toBe(mountsBefore);
    expect((await other.exec("echo untouched")).stdout).toBe("untouched\n");
  });

  test("[vm.names] a named VM is found by its name", async () => {
    await using os = await AgentOs.create({ name: "builder" });
    await os.fs.writeFile("/workspace/x", "same VM");
    await using other = await AgentOs.attach("builder");
    expect(other.id).toBe(os.id);
    expect(await other.fs.readFile("/workspace/x", "utf8")).toBe("same VM");
    expect((await AgentOs.list()).map(({ name }) => name)).toContain("builder");
    await expect(AgentOs.create({ name: "builder" })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    await expect(AgentOs.attach("nobody")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("[vm.info] info() tells what the VM is", async () => {
    await using os = await AgentOs.create({ limits: { pids: 64, openFiles: 256 } });
    const info = await os.info();
    expect(info).toMatchObject({ vmId: os.id, driver: "linux", image: "host", fence: 1 });
    expect(info.limits.diskBytes).toMatchObject({ enforcement: "hard" });
    expect(info.limits.openFiles).toEqual({ value: 256, enforcement: "hard" });
    expect(info.sidecarPid).toBeGreaterThan(1);
    expect(info.epoch).toBeGreaterThan(0);
    expect((await os.exec("ulimit -n")).stdout).toBe("256\n");
  });

  test("[lease.takeover] a takeover fences the other holders", async () => {
    const os = await AgentOs.create({ name: "contested" });
    await using taker = await AgentOs.attach("contested", { mode: "takeover" });
    expect((await taker.info()).fence).toBe(2);
    await expect(os.exec("touch /workspace/stale")).rejects.toMatchObject({ code: "FENCED" });
    expect(await taker.fs.exists("/workspace/stale")).toBe(false);
    await os.dispose();
    expect((await taker.exec("echo mine")).stdout).toBe("mine\n");
  });
});
