import { AgentOs, type FileChange } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { until, useWorld } from "./world.ts";

useWorld();

const said = (change: FileChange): string =>
  change.kind === "overflow" ? "overflow" : `${change.kind} ${change.path}`;

/** Everything that is told until this is. */
async function toldUntil(watch: AsyncIterable<FileChange>, last: string): Promise<string[]> {
  const told: string[] = [];
  for await (const change of watch) {
    told.push(said(change));
    if (told.at(-1) === last) break;
  }
  return told;
}

describe("watches", () => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create();
  });
  afterAll(() => os.dispose());

  const watching = async (): Promise<number> =>
    (await os.processes()).filter(({ command }) => command.includes("watch")).length;

  test("[watch.recursive] what programs of the VM do below a path is told, as it happens", async () => {
    await os.fs.mkdir("/workspace/deep/er", { recursive: true });
    const watch = await os.fs.watch("/workspace", { recursive: true });
    await os.exec(
      "echo x > deep/er/file; mkdir -p new/one; mv deep/er/file new/one/moved; rm -r deep",
    );
    const told = await toldUntil(watch, "removed /workspace/deep");
    expect(told).toContain("created /workspace/deep/er/file");
    expect(told.some((text) => /^(renamed|created) .*new.one.moved$/.test(text))).toBe(true);
    // Leaving the loop ended it.
    await until(async () => (await watching()) === 0);
  });

  test("[watch.ends] a watch ends with what it watches, by its signal, and with a path that is not there", async () => {
    await os.fs.mkdir("/workspace/gone");
    const watch = await os.fs.watch("/workspace/gone");
    await os.fs.rm("/workspace/gone", { recursive: true });
    const told: string[] = [];
    for await (const change of watch) told.push(said(change));
    expect(told).toEqual(["removed /workspace/gone"]);
    const stop = new AbortController();
    const stopped = await os.fs.watch("/workspace", { signal: stop.signal });
    stop.abort();
    await expect(toldUntil(stopped, "never")).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(os.fs.watch("/workspace/none")).rejects.toMatchObject({ errno: "ENOENT" });
  });

  test("[watch.overflow] a reader that was away hears that it did not see everything", async () => {
    await os.fs.mkdir("/workspace/flood");
    await using watch = await os.fs.watch("/workspace/flood");
    await os.exec("cd flood && seq 1 60000 | xargs touch");
    const told = await toldUntil(watch, "overflow");
    expect(told.at(-1)).toBe("overflow");
  });
});
