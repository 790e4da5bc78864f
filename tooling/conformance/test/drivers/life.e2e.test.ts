import { AgentOs } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { useWorld } from "../scenarios/world.ts";
import { DRIVERS_HERE } from "./each-driver.ts";

useWorld();

describe.each(DRIVERS_HERE)("a VM's life on %s", (driver) => {
  test("[vm.info] [limits.stats] info() and stats() tell what the VM is and uses", async () => {
    await using os = await AgentOs.create({ driver, limits: { pids: 64, openFiles: 256 } });
    const info = await os.info();
    expect(info).toMatchObject({ vmId: os.id, driver, image: "host", fence: 1 });
    expect(info.isolation).not.toBe("");
    expect(info.limits.diskBytes.enforcement).toBe("hard");
    expect(info.limits.openFiles).toEqual({ value: 256, enforcement: "hard" });
    const before = (await os.stats()).diskBytes ?? 0;
    await os.fs.writeFile("/workspace/file", "x".repeat(100_000));
    expect((await os.stats()).diskBytes).toBeGreaterThanOrEqual(before + 100_000);
  });

  test("[vm.names] [lease.takeover] a named VM is found, shared and taken over", async () => {
    const name = `named-${driver}`;
    const os = await AgentOs.create({ driver, name });
    await os.fs.writeFile("/workspace/x", "same VM");
    const other = await AgentOs.attach(name);
    expect(other.id).toBe(os.id);
    expect((await other.exec("cat x")).stdout).toBe("same VM");
    await expect(AgentOs.create({ driver, name })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    await using taker = await AgentOs.attach(name, { mode: "takeover" });
    expect((await taker.info()).fence).toBe(2);
    await expect(os.exec("touch stale")).rejects.toMatchObject({ code: "FENCED" });
    expect(await taker.fs.exists("/workspace/stale")).toBe(false);
    await Promise.all([os.dispose(), other.dispose()]);
    expect((await taker.exec("echo mine")).stdout).toBe("mine\n");
    await taker.end();
  });

  test("[limits.wall-time] a VM ends at its time and says so", async () => {
    const os = await AgentOs.create({ driver, limits: { wallMs: 1000 } });
    expect(await os.exec("sleep 1000")).toMatchObject({
      outcome: "limited",
      limit: { name: "wallMs", value: 1000 },
    });
    await expect(os.exec("true")).rejects.toMatchObject({ code: "VM_ENDED" });
    await os.dispose();
  });

  test("[limits.required] [limits.nonsense] limits that can't be had are refused", async () => {
    const limits = { pids: 10, require: ["pids", "diskBytes", "wallMs"] as const };
    await using held = await AgentOs.create({
      driver,
      limits: { ...limits, require: [...limits.require] },
    });
    expect((await held.info()).limits.pids).toEqual({ value: 10, enforcement: "hard" });
    await expect(AgentOs.create({ driver, limits: { pids: -1 } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const info = await held.info();
    const cpus = AgentOs.create({ driver, limits: { require: ["cpus"] } });
    const refused = await cpus.then(
      (os) => os.dispose().then(() => undefined),
      (error: unknown) => error,
    );
    expect(refused === undefined).toBe(info.limits.cpus.enforcement === "hard");
  });

  test("[bad.path] [bad.image] [bad.disposed] what makes no sense changes nothing", async () => {
    const os = await AgentOs.create({ driver });
    for (const path of ["relative", "", "/a\0b", `/${"x".repeat(5000)}`]) {
      await expect(os.fs.writeFile(path, "x")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    await expect(os.exec("true", { cwd: "/none" })).rejects.toMatchObject({
      code: "FILE_SYSTEM",
      errno: "ENOENT",
    });
    await expect(AgentOs.create({ driver, image: "nothing-here" })).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      details: { image: "nothing-here", known: expect.arrayContaining(["host"]) },
    });
    expect(await os.fs.readdir("/workspace")).toEqual([]);
    await os.dispose();
    await os.dispose();
    await expect(os.exec("true")).rejects.toMatchObject({ code: "DISPOSED" });
    expect((await AgentOs.list()).map(({ vmId }) => vmId)).not.toContain(os.id);
  });
});
