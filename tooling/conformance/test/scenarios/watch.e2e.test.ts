import { AgentOs, type FileChange, type Session } from "@agentos/client";
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

  test("[watch.snapshot] a watch goes on after a snapshot, and says that it may have missed something", async () => {
    await os.fs.mkdir("/workspace/kept/deep", { recursive: true });
    const watch = await os.fs.watch("/workspace/kept", { recursive: true });
    const snapshot = await os.snapshot();
    const told: string[] = [];
    for await (const change of watch) {
      told.push(said(change));
      if (change.kind === "overflow") await os.exec("touch kept/deep/again");
      if (told.at(-1) === "created /workspace/kept/deep/again") break;
    }
    expect(told[0]).toBe("overflow");
    await AgentOs.removeSnapshot(snapshot.snapshotId);
  });

  test("[session.file-changes] a session is prompted with what its VM's programs change below a path", async () => {
    await os.fs.mkdir("/workspace/src/deep", { recursive: true });
    await using session = await os.createSession({
      runtime: "command",
      command: "cat",
      triggers: [{ watch: "/workspace/src", prompt: "look at {changes}" }],
    });
    let reply: string | undefined;
    const reading = firstReply(session).then((text) => (reply = text));
    await until(async () => {
      await os.exec("echo x >> src/deep/file");
      return reply !== undefined;
    });
    expect(await reading).toBe("look at /workspace/src/deep/file");
  });
});

async function firstReply(session: Session): Promise<string> {
  for await (const event of session.events()) {
    if (event.type === "turn_end") return event.result.text;
  }
  return "no turn";
}
