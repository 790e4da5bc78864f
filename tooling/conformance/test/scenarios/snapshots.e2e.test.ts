import { AgentOs } from "@agentos/client";
import { expect, test } from "vitest";

import { until, useWorld } from "./world.ts";

useWorld();

const text = async (os: AgentOs, path: string): Promise<string> =>
  (await os.exec(["cat", path])).stdout;

async function forkOf(os: AgentOs): Promise<AgentOs> {
  const [fork] = await os.fork();
  if (fork === undefined) throw new Error("expected a fork");
  return fork;
}

test("[snapshot.isolated] neither sees what the other writes later, whatever holds files open", async () => {
  await using parent = await AgentOs.create();
  await parent.exec(
    "echo one > a; mkdir d; echo in > d/in; echo old > gone; echo t > /tmp/t; echo h > ~/h",
  );
  const snapshot = await parent.snapshot();
  await using removed = {
    [Symbol.asyncDispose]: () => AgentOs.removeSnapshot(snapshot.snapshotId),
  };
  void removed;
  await using first = await AgentOs.create({ from: snapshot });
  await parent.exec("echo two >> a; rm gone; mv d e; echo 3 > /tmp/t");
  await first.exec("echo mine > d/mine; rm a");
  expect(await text(first, "d/in")).toBe("in\n");
  expect((await first.exec("ls; cat gone /tmp/t ~/h")).stdout).toBe("d\ngone\nold\nt\nh\n");
  expect((await parent.exec("cat a; ls e; cat /tmp/t")).stdout).toBe("one\ntwo\nin\n3\n");
  // A program that writes all the time, in a directory and a file that it holds.
  const writer = await parent.spawn(
    "i=0; while :; do i=$((i+1)); echo $i >> log; echo $i > last; done",
  );
  await until(async () => (await text(parent, "last")) !== "");
  await using second = await forkOf(parent);
  const then = (await second.exec("wc -l < log; cat last")).stdout;
  const length = await text(parent, "last");
  await until(async () => (await text(parent, "last")) !== length);
  expect((await second.exec("wc -l < log; cat last")).stdout).toBe(then);
  await writer.kill("SIGKILL");
});

test("[snapshot.named] [snapshot.in-use] a snapshot is named once, listed, used and removed", async () => {
  await using os = await AgentOs.create();
  await os.exec("echo here > file");
  const { snapshotId } = await os.snapshot({ name: "base" });
  expect(await AgentOs.snapshots()).toMatchObject([{ snapshotId, name: "base", vmId: os.id }]);
  await expect(os.snapshot({ name: "base" })).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  const user = await AgentOs.create({ from: "base" });
  expect(await text(user, "file")).toBe("here\n");
  await expect(AgentOs.removeSnapshot("base")).rejects.toMatchObject({
    code: "IN_USE",
    details: { kind: "snapshot", by: [user.id] },
  });
  await user.dispose();
  await AgentOs.removeSnapshot("base");
  expect(await AgentOs.snapshots()).toEqual([]);
  for (const gone of ["base", snapshotId, "never"]) {
    await expect(AgentOs.create({ from: gone })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(AgentOs.removeSnapshot(gone)).rejects.toMatchObject({ code: "NOT_FOUND" });
  }
});

test("[snapshot.fork] [S36.forks] a fork has the files and the limits, but no environment of its parent", async () => {
  const limits = { pids: 77 };
  await using parent = await AgentOs.create({ env: { SECRET: "canary-4711" }, limits });
  await parent.exec("echo x > file");
  const forks = await parent.fork(3);
  const seen = await Promise.all(forks.map((os) => os.exec('cat file; echo "[$SECRET]"; env')));
  for (const { stdout } of seen) {
    expect(stdout).toMatch(/^x\n\[\]\n/);
    expect(stdout).not.toContain("canary");
  }
  expect((await forks[0]?.info())?.limits.pids.value).toBe(77);
  expect(await AgentOs.snapshots()).toEqual([]);
  await Promise.all(forks.map((os) => os.dispose()));
  await parent.end();
  await expect(parent.fork()).rejects.toMatchObject({ code: "VM_ENDED" });
  await expect(parent.snapshot()).rejects.toMatchObject({ code: "VM_ENDED" });
});

test("[snapshot.lineage] files of every VM before it are a fork's own, to read, write and give away", async () => {
  await using os = await AgentOs.create();
  await os.exec("mkdir -m 700 d && echo first > d/first && chmod 600 d/first");
  const [child] = await os.fork(1);
  await child?.exec("echo second > d/second && chmod 400 d/second");
  const [grandchild] = (await child?.fork(1)) ?? [];
  await using last = grandchild ?? os;
  await child?.dispose();
  const { stdout, stderr } = await last.exec(
    "cat d/first d/second; echo more >> d/first; chmod 640 d/second; rm d/first; mkdir d/own; stat -c '%u %g' d d/*",
  );
  expect([stdout, stderr]).toEqual(["first\nsecond\n1000 1000\n1000 1000\n1000 1000\n", ""]);
  expect(await os.fs.readFile("/workspace/d/first", "utf8")).toBe("first\n");
});

test("[snapshot.disk] a named VM's files are there again after its sidecar, and gone with vm.end", async () => {
  const first = await AgentOs.create({ name: "lasting" });
  await first.exec("echo kept > file; chmod 640 file; ln -s file link; mkdir -m 0 closed");
  const { snapshotId } = await first.snapshot({ name: "of-lasting" });
  await first.exec("echo later > later");
  await first.dispose();
  const sidecar = await AgentOs.getSharedSidecar();
  await sidecar.shutdown();
  await using again = await AgentOs.create({ name: "lasting" });
  expect((await again.exec("cat link later; stat -c %a file closed")).stdout).toBe(
    "kept\nlater\n640\n0\n",
  );
  await using old = await AgentOs.create({ from: snapshotId });
  expect((await old.exec("cat file; ls")).stdout).toBe("kept\nclosed\nfile\nlink\n");
  await again.end();
  await using fresh = await AgentOs.create({ name: "lasting" });
  expect((await fresh.exec("ls")).stdout).toBe("");
  await fresh.end();
});
