import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { execa } from "execa";
import { expect, test } from "vitest";

import { detectCgroups } from "../../src/cgroup/detect-cgroups.ts";
import { readHierarchies } from "../../src/cgroup/hierarchies.ts";

const ROUNDS = 5;

/** Every place in the trees that a process started here would try. */
async function places(): Promise<string[]> {
  const hierarchies = await readHierarchies();
  return hierarchies.flatMap(({ own, mountPoint }) => {
    const found = [own];
    for (let place = own; place !== mountPoint; place = dirname(place)) found.push(dirname(place));
    return found;
  });
}

/** The directories that a process made for VMs or for trying, wherever they are. */
async function madeBy(pid: number | undefined): Promise<string[]> {
  const parents = (await places()).map((place) => join(place, "agentos"));
  const names = await Promise.all(parents.map((parent) => readdir(parent).catch(() => [])));
  return names.flat().filter((name) => name.startsWith(`agentos-${pid}-`));
}

/** `kill -9` in the middle of a trial, where one can be made; the pid of who was killed. */
async function killedTrial(canTry: boolean): Promise<number | undefined> {
  const host = execa(process.execPath, [join(import.meta.dirname, "trying-host.mjs")], {
    reject: false,
    stdout: "ignore",
    stderr: "ignore",
  });
  const hasMade = async (): Promise<boolean> => (await madeBy(host.pid)).length > 0;
  await expect.poll(async () => !canTry || (await hasMade()), { interval: 0 }).toBe(true);
  host.kill("SIGKILL");
  await host;
  return host.pid;
}

test("what a sidecar leaves that is killed while it tries cgroups is gone with the next trial", async () => {
  const { branches } = await detectCgroups();
  const killed: Array<number | undefined> = [];
  let left = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const pid = await killedTrial(branches.length > 0);
    left += (await madeBy(pid)).length;
    killed.push(pid);
  }
  expect(left > 0).toBe(branches.length > 0);
  await detectCgroups();
  expect((await Promise.all(killed.map(madeBy))).flat()).toEqual([]);
});
