import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { LiveWorld } from "./live-world.ts";

describe("what a broker tells and keeps of its agents", () => {
  test("[broker.case-30] what a released agent leaves is a file, written again by the next release, and outlives the broker", async () => {
    await using world = await LiveWorld.start({ persist: true });
    const file = async (): Promise<Record<string, unknown>> =>
      JSON.parse(await readFile(join(world.home, "continuity/Old.json"), "utf8"));
    await world.spawn("Old", { cli: "bash" }, { initial_task: "paint" });
    await expect.poll(() => world.heard).toEqual(["paint"]);
    await world.client.result("release_agent", { name: "Old", reason: "half is done" });
    const left = { agent_name: "Old", cli: "bash", initial_task: "paint", summary: "half is done" };
    await expect(file()).resolves.toMatchObject({
      ...left,
      released_at: expect.any(Number),
      lifetime_seconds: expect.any(Number),
      message_history: [],
    });
    expect((await stat(join(world.home, "continuity/Old.json"))).mode & 0o777).toBe(0o600);
    await world.spawn("old", {}, { continue_from: "OLD" });
    await expect.poll(() => world.heard.at(-1)).toContain("half is done");
    await world.client.result("release_agent", { name: "old" });
    await expect(file()).resolves.toMatchObject({ agent_name: "old", initial_task: null });
    // Of another broker's agent.
    const other = { ...left, agent_name: "Far", released_at: 1, lifetime_seconds: 2 };
    await writeFile(join(world.home, "continuity/Far.json"), JSON.stringify(other));
    await world.spawn("New", {}, { continue_from: "far" });
    await expect
      .poll(() => world.heard.at(-1))
      .toMatch(/from Far, which was released: half is done/);
    await writeFile(join(world.home, "continuity/Bad.json"), "no file of ours");
    for (const continue_from of ["Bad", "../../etc/passwd"]) {
      const agent = { name: `from ${continue_from.length}`, runtime: "pty", cli: "bash" };
      const answer = await world.client.ask("spawn_agent", { agent, continue_from });
      expect(JSON.stringify(answer.payload)).toMatch(/no continuity of Bad|continueFrom/);
    }
  });

  test("[broker.case-35] output is told as the one's that said it, before its end", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    await world.spawn("Bob");
    await world.send("Ann", "for ann");
    await world.send("Bob", "for bob");
    const said = (name: string): string =>
      world.client.events
        .filter((event) => event["kind"] === "worker_stream" && event["name"] === name)
        .map(({ chunk }) => String(chunk))
        .join("");
    await expect.poll(() => said("Ann")).toContain("got: for ann");
    await expect.poll(() => said("Bob")).toContain("got: for bob");
    expect(said("Ann")).not.toContain("bob");
    const event_id = await world.send("Ann", "the last");
    await world.client.event("delivery_verified", { event_id });
    await world.client.result("release_agent", { name: "Ann" });
    await world.client.event("agent_released");
    const kinds = world.client.kinds({ name: "Ann" });
    expect(kinds.lastIndexOf("worker_stream")).toBeLessThan(kinds.indexOf("agent_released"));
    expect(said("Ann")).toBe("got: for anngot: the last");
  });

  test("[broker.case-36] a log has what its agent said, and grows; no name leads out of its folder", async () => {
    await using world = await LiveWorld.start({ persist: true });
    const logs = join(world.home, "team/worker-logs");
    await world.spawn("Ann");
    const log = (): Promise<string> => readFile(join(logs, "Ann.log"), "utf8");
    for (const [index, text] of ["one", "two"].entries()) {
      const event_id = await world.send("Ann", text);
      await world.client.event("delivery_verified", { event_id });
      const told = ["one", "two"].slice(0, index + 1).map((each) => `got: ${each}`);
      await expect.poll(log).toBe(told.join(""));
    }
    expect((await stat(join(logs, "Ann.log"))).mode & 0o777).toBe(0o600);
    const long = "é".repeat(128);
    await world.spawn(long);
    await world.send(long, "three");
    const names = async (): Promise<string[]> => (await readdir(logs)).toSorted();
    await expect.poll(async () => (await names()).length).toBe(2);
    for (const name of ["../../etc/passwd", "..", "a/b"]) {
      const agent = { name, runtime: "pty", cli: "bash" };
      await expect(world.client.refusal("spawn_agent", { agent })).resolves.toBe(
        "invalid_agent_name",
      );
      await expect(world.client.refusal("send_input", { name, data: "x" })).resolves.toBe(
        "agent_not_found",
      );
    }
    await expect(names()).resolves.toHaveLength(2);
  });
});
