import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, isAgentOsError } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { useWorld } from "../scenarios/world.ts";

useWorld();

const MIB = 1024 * 1024;
/** Fills the interpreter's memory with texts that it keeps. */
const MEMORY_BOMB =
  'x=0123456789abcdef; for i in {1..16}; do x=$x$x; done; i=0; while true; do i=$((i+1)); eval "v$i=\\"$i\\$x\\""; done';

const create = (options: object = {}): Promise<AgentOs> =>
  AgentOs.create({ driver: "virtual", ...options });

async function driverOf(creating: Promise<AgentOs>): Promise<string> {
  try {
    await using os = await creating;
    return (await os.info()).driver;
  } catch (error) {
    return isAgentOsError(error) ? error.code : String(error);
  }
}

describe("the virtual driver", () => {
  test("[virtual.named] [virtual.label] it is taken by name only, and says what it is not", async () => {
    await using os = await create();
    const info = await os.info();
    expect(info).toMatchObject({ driver: "virtual", image: "host", fence: 1 });
    expect(info.isolation).toContain("no security boundary");
    expect(info.limits.diskBytes).toEqual({ value: 256 * MIB, enforcement: "hard" });
    expect(info.limits.memoryBytes.enforcement).toBe("soft");
    // Where no driver that isolates works, nothing is taken in its place.
    expect(["linux", "DRIVER_UNAVAILABLE"]).toContain(await driverOf(AgentOs.create()));
    await expect(create({ limits: { require: ["memoryBytes"] } })).rejects.toMatchObject({
      code: "UNSUPPORTED_LIMIT",
      details: { limit: "memoryBytes", offered: "soft" },
    });
  });

  test("[virtual.output] output comes while the script runs, and a slow reader stops it", async () => {
    await using os = await create();
    const controller = new AbortController();
    const result = await os.exec("echo begun; sleep 100000; echo never", {
      signal: controller.signal,
      onStdout: () => controller.abort(),
    });
    expect(result).toMatchObject({ outcome: "cancelled", stdout: "begun\n" });
    const writer = await os.spawn("while true; do echo 0123456789; done");
    expect((await os.exec("seq 1 2000 | tail -1")).stdout).toBe("2000\n");
    await writer.kill("SIGKILL");
    const bytes = [];
    for await (const part of writer.stdout) bytes.push(part);
    expect(await writer.exited).toMatchObject({ signal: "SIGKILL", outcome: "signaled" });
    expect(Buffer.concat(bytes).byteLength).toBeLessThan(2 * MIB);
  });

  test("[virtual.unsupported] what it lacks says what to use instead", async () => {
    await using os = await create();
    const instead = { code: "UNSUPPORTED", details: { instead: expect.stringContaining("linux") } };
    await expect(os.spawn("sleep 1", { output: "logged" })).rejects.toMatchObject(instead);
    await expect(os.exec(["git", "status"])).rejects.toMatchObject(instead);
    await expect(os.exec(["node", "-v"])).rejects.toMatchObject(instead);
    expect((await os.exec("curl http://127.0.0.1/")).exitCode).toBe(127);
  });

  test("[virtual.runaway] an endless loop ends at its time-out, and at the limit", async () => {
    await using os = await create();
    const stopped = await os.exec("f() { while :; do :; done; }; f", { timeoutMs: 100 });
    expect(stopped).toMatchObject({ exitCode: null, signal: "SIGKILL", outcome: "timed-out" });
    const { promise: hit, resolve } = Promise.withResolvers<unknown>();
    os.onLimit(resolve);
    const deep = await os.exec("f() { f; }; f");
    const limit = { name: "scriptDepth", value: 100 };
    expect(deep).toMatchObject({ exitCode: 126, outcome: "limited", limit });
    expect(deep.stderr).toContain("maximum recursion depth");
    expect(await hit).toEqual({ limit: "scriptDepth", value: 100 });
    const many = await os.exec("seq 1 100000000 | tail -1");
    const iterations = { name: "scriptIterations", value: 1_000_000 };
    expect(many).toMatchObject({ exitCode: 126, outcome: "limited", limit: iterations });
    expect(many.stderr).toContain("limit exceeded");
    expect((await os.exec("echo fine")).stdout).toBe("fine\n");
  });

  test("[virtual.disk] a full disk is ENOSPC and told, and its VM goes on", async () => {
    await using os = await create({ limits: { diskBytes: MIB } });
    const { promise: hit, resolve } = Promise.withResolvers<unknown>();
    os.onLimit(resolve);
    const bomb = await os.exec(
      "x=0123456789abcdef; while true; do echo $x >> f || exit 9; x=$x$x; done",
    );
    expect(bomb.exitCode).not.toBe(0);
    expect(bomb.stderr).toContain("ENOSPC");
    expect(await hit).toMatchObject({ limit: "diskBytes", value: MIB });
    expect((await os.exec("rm f; echo again | tee g")).stdout).toBe("again\n");
  });

  test("[virtual.memory] a memory bomb ends its worker's VMs, which are told, and no others", async () => {
    // With each one the next worker is started, so that among these are two in one, and one in another.
    const vms = [await create(), await create(), await create(), await create()];
    const [bomber, ...others] = vms;
    const told = new Map<AgentOs, string>();
    for (const vm of vms) vm.onLimit(({ limit }) => told.set(vm, limit));
    await expect(bomber?.exec(MEMORY_BOMB)).rejects.toMatchObject({
      code: "VM_ENDED",
      message: expect.stringContaining("memory"),
    });
    const fates = await Promise.all(
      others.map((vm) =>
        vm.exec("echo alive").then(
          ({ stdout }) => stdout,
          (error: { code: string; message: string }) => error.code,
        ),
      ),
    );
    expect(fates).toContain("alive\n");
    expect(fates.filter((fate) => fate !== "alive\n" && fate !== "VM_ENDED")).toEqual([]);
    for (const [at, vm] of others.entries()) {
      expect(told.get(vm)).toBe(fates[at] === "VM_ENDED" ? "memoryBytes" : undefined);
    }
    await Promise.all(vms.map((vm) => vm.dispose()));
    await using next = await create();
    expect((await next.exec("echo next")).stdout).toBe("next\n");
  });

  test("[virtual.stuck] a script that nothing stops has its worker ended, and no other", async () => {
    const [stuck, other] = [await create(), await create()];
    // One long computation, in which the interpreter never looks up.
    await stuck.exec("seq 1 40000 > a; seq 40001 80000 > b; diff /dev/null /dev/null");
    await expect(stuck.exec("diff a b", { timeoutMs: 1500 })).rejects.toMatchObject({
      code: "VM_ENDED",
      message: expect.stringContaining("did not end within"),
    });
    await expect(stuck.exec("true")).rejects.toMatchObject({ code: "VM_ENDED" });
    expect((await other.exec("echo alive")).stdout).toBe("alive\n");
    await Promise.all([stuck.dispose(), other.dispose()]);
  });

  test("[virtual.copies] host directories are copied in, and come out by download", async () => {
    const directory = mkdtempSync(join(tmpdir(), "aos-virtual-"));
    try {
      writeFileSync(join(directory, "file"), "host");
      const mounts = [{ kind: "host", source: directory, target: "/workspace/project" }];
      await using os = await create({ mounts });
      await os.exec("cat project/file > project/new; echo changed > project/file");
      expect(readFileSync(join(directory, "file"), "utf8")).toBe("host");
      const back = join(directory, "back");
      await os.fs.download("/workspace/project", back);
      expect(readFileSync(join(back, "new"), "utf8")).toBe("host");
      expect(readFileSync(join(back, "file"), "utf8")).toBe("changed\n");
      const writable = [{ ...mounts[0], readOnly: false }];
      await expect(create({ mounts: writable })).rejects.toMatchObject({ code: "MOUNT_REFUSED" });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("[virtual.lost] a VM ends with its sidecar, and says so", async () => {
    const os = await create();
    const { sidecarPid } = await os.info();
    const pending = os.exec("echo begun; sleep 100000", {
      onStdout: () => process.kill(sidecarPid, "SIGKILL"),
    });
    await expect(pending).rejects.toMatchObject({ code: "SIDECAR_LOST" });
    await expect(os.exec("true")).rejects.toMatchObject({ code: "SIDECAR_LOST" });
    await os.dispose();
    await using next = await create();
    expect((await next.exec("echo next")).stdout).toBe("next\n");
  });

  test("[network.unsupported] it has no network, and says what to use instead", async () => {
    await using os = await create();
    const unsupported = {
      code: "UNSUPPORTED",
      details: { what: "a network", instead: expect.stringContaining("linux") },
    };
    await expect(os.connect(3000)).rejects.toMatchObject(unsupported);
    await expect(os.fetch(3000, "/")).rejects.toMatchObject(unsupported);
    await expect(create({ network: { egress: "allow", hosts: [] } })).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
  });
});
