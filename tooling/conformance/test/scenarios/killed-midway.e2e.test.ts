import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { expect, test } from "vitest";

import { makeSmallRoot } from "./small-root.ts";
import { until, useWorld } from "./world.ts";

const world = useWorld();
const MIB = 1024 * 1024;

/** What lies in the store of layers, disks and images. */
function stored(): string[] {
  const state = join(world.directory, "state");
  const pools = readdirSync(state).filter((name) => name.startsWith("p-"));
  return pools.flatMap((pool) =>
    readdirSync(join(state, pool))
      .filter((name) => name.endsWith("disks"))
      .flatMap((name) => readdirSync(join(state, pool, name))),
  );
}

/** The process of the sidecar that there is. */
async function sidecarPid(): Promise<number> {
  const info = await (await AgentOs.getSharedSidecar()).find();
  if (info === undefined) throw new Error("expected a sidecar");
  return info.pid;
}

test("[killed.import] a sidecar that is killed while it unpacks an image leaves none of it to the next one, which takes it whole", async () => {
  const root = join(world.directory, "large");
  makeSmallRoot(root);
  mkdirSync(join(root, "many"));
  for (let at = 0; at < 1_000; at++) writeFileSync(join(root, `many/${at}`), "x");
  writeFileSync(join(root, "large"), Buffer.alloc(16 * MIB, 1));
  const layer = execFileSync("tar", ["c", "-C", root, "."], { maxBuffer: 512 * MIB });
  const folder = join(world.directory, "archive");
  mkdirSync(folder);
  writeFileSync(join(folder, "layer.tar"), layer);
  const digest = `sha256:${createHash("sha256").update(layer).digest("hex")}`;
  writeFileSync(join(folder, "config.json"), JSON.stringify({ rootfs: { diff_ids: [digest] } }));
  const manifest = [{ Config: "config.json", Layers: ["layer.tar"] }];
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  const archive = join(world.directory, "large.tar");
  execFileSync("tar", ["cf", archive, "-C", folder, "manifest.json", "config.json", "layer.tar"]);
  await (await AgentOs.create()).dispose();
  const pid = await sidecarPid();
  const adding = AgentOs.addImage("large", archive);
  await until(() => stored().some((name) => name.startsWith("i-")));
  const [half] = stored();
  process.kill(pid, "SIGKILL");
  // The next sidecar is asked again, and takes it whole.
  await adding;
  await using os = await AgentOs.create({ image: "large" });
  expect((await os.exec("ls / | cat; ls /many/999")).stdout).toContain("many/999");
  await until(() => stored().filter((name) => name.startsWith("i-")).length === 1);
  expect(stored()).not.toContain(half);
});

test("[killed.snapshot] [killed.fork] one that is killed in a snapshot or a fork leaves the VM as it was, and no part of either", async () => {
  await using os = await AgentOs.create();
  // So much, held open, is copied: that takes its time.
  await os.exec("head -c 100m /dev/urandom > large; echo kept > kept");
  const holder = await os.spawn(["sleep", "600"]);
  holder.exited.catch(() => undefined);
  for (const take of [() => os.snapshot({ name: "half" }), () => os.fork()]) {
    const before = new Set(stored());
    const pid = await sidecarPid(); // oxlint-disable-line no-await-in-loop
    const taking = take().catch((error: unknown) => error);
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    await until(() => stored().some((name) => !before.has(name)));
    process.kill(pid, "SIGKILL");
    await taking; // oxlint-disable-line no-await-in-loop
    // oxlint-disable-next-line no-await-in-loop
    expect((await os.exec("cat kept")).stdout).toBe("kept\n");
    for (const { snapshotId, settled } of await AgentOs.snapshots()) {
      // oxlint-disable-line no-await-in-loop
      expect(settled).toBe(true);
      await AgentOs.removeSnapshot(snapshotId); // oxlint-disable-line no-await-in-loop
    }
  }
  await os.end();
  await until(() => stored().every((name) => !name.endsWith(".part")));
  expect((await AgentOs.list()).filter(({ vmId }) => vmId === os.id)).toEqual([]);
});

test("[killed.in-use] [bad.fork] a snapshot stays in use by its VM in the next life, and no VM that is gone is forked", async () => {
  await using os = await AgentOs.create();
  const { snapshotId } = await os.snapshot({ name: "kept" });
  await using user = await AgentOs.create({ from: "kept" });
  await user.exec("echo new > new");
  process.kill(await sidecarPid(), "SIGKILL");
  expect((await user.info()).from).toBe(snapshotId);
  expect((await user.diff()).map(({ path }) => path)).toEqual(["/workspace/new"]);
  await expect(AgentOs.removeSnapshot("kept")).rejects.toMatchObject({
    code: "IN_USE",
    details: { by: [user.id] },
  });
  await user.end();
  await AgentOs.removeSnapshot("kept");
  for (const gone of [user.fork(), user.snapshot(), user.diff()])
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    await expect(gone).rejects.toMatchObject({ code: "VM_ENDED" });
});
