import { expect, test } from "vitest";

import type { VmHandle, VmSnapshot } from "@agentos/core";

import { DriverFixture, nextId, run } from "./linux-vm-fixture.ts";

async function snapshotOf(vm: VmHandle): Promise<VmSnapshot> {
  if (vm.snapshot === undefined) throw new Error("expected a VM that can be frozen");
  return await vm.snapshot({ signal: AbortSignal.timeout(30_000), keep: () => undefined });
}

async function sh(vm: VmHandle, script: string): Promise<string> {
  const { stdout, stderr, exit } = await run(vm, ["sh", "-c", script]);
  if (exit.exitCode !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout;
}

test("a VM begins with the files of another, and neither sees what the other writes later", async () => {
  await using fixture = await DriverFixture.start();
  const parent = await fixture.create();
  await sh(
    parent,
    "mkdir -p a/b; echo one > a/b/file; ln -s file a/b/link; echo gone > gone; echo x > /tmp/t; echo h > ~/.h",
  );
  const { record, settled } = await snapshotOf(parent);
  const child = await fixture.create({ from: record });
  await sh(parent, "echo two > a/b/file; echo new > a/b/later; rm gone");
  await sh(child, "echo three > a/b/child");
  expect(await sh(child, "cat a/b/file a/b/link gone /tmp/t ~/.h; ls a/b")).toBe(
    "one\none\ngone\nx\nh\nchild\nfile\nlink\n",
  );
  expect(await sh(parent, "cat a/b/file; ls a/b; ls")).toBe("two\nfile\nlater\nlink\na\n");
  expect(await settled).toBe(true);
  const late = await fixture.create({ from: record });
  expect(await sh(late, "cat a/b/file gone; ls a/b")).toBe("one\ngone\nfile\nlink\n");
});

test("programs with open files and a directory of their own make it a copy", async () => {
  await using fixture = await DriverFixture.start();
  const parent = await fixture.create();
  const script = "exec 5>> held; i=0; while :; do i=$((i+1)); echo $i >&5; echo $i > now; done";
  const busy = run(parent, ["sh", "-c", script], { processId: nextId() }).catch(() => undefined);
  await expect.poll(() => sh(parent, "cat now 2>/dev/null || true")).not.toBe("");
  const { record } = await snapshotOf(parent);
  const child = await fixture.create({ from: record });
  const before = await sh(child, "wc -l < held; cat now");
  await expect.poll(() => sh(parent, "wc -l < held")).not.toBe(before.split("\n")[0]);
  expect(await sh(child, "wc -l < held; cat now")).toBe(before);
  await parent[Symbol.asyncDispose]();
  await busy;
});
