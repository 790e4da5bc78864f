import { AgentOs } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { DRIVERS_HERE } from "../drivers/each-driver.ts";
import { useWorld } from "../scenarios/world.ts";

useWorld();

/** Leaves children that hide: in a session of their own, with another parent, without an environment. */
const HIDES = `
(setsid sh -c 'sleep 1001 & exec sleep 1002' >/dev/null 2>&1 &)
env -i setsid sleep 1003 >/dev/null 2>&1 &
trap '' TERM INT
echo "hidden"
while :; do sleep 1; done
`;

/** Those that a test's program left, and nothing else of the VM. */
async function sleepers(os: AgentOs): Promise<string[]> {
  const processes = await os.processes();
  return processes
    .flatMap(({ command }) => (/^sleep \d{4}/.test(command) ? [command] : []))
    .toSorted();
}

describe.runIf(DRIVERS_HERE.includes("linux"))("a program as an agent", () => {
  test("[runtime.command] its output is the reply, and its exit code decides", async () => {
    await using os = await AgentOs.create({ driver: "linux" });
    await using session = await os.createSession({
      runtime: "command",
      command: "sh",
      args: ["-c", 'read line; echo "$line, said $USER in $PWD"; test "$line" != fail'],
    });
    expect(await session.prompt("hello\n")).toMatchObject({
      stopReason: "end_turn",
      text: "hello, said agent in /workspace",
    });
    await expect(Promise.resolve(session.prompt("fail\n"))).rejects.toMatchObject({
      code: "AGENT_EXITED",
      details: { exitCode: 1 },
    });
    const notFound = { code: "COMMAND_NOT_FOUND" };
    for (const command of ["nonesuch", "./nonesuch", "/workspace"])
      // oxlint-disable-next-line no-await-in-loop -- One refusal after the other.
      await expect(os.createSession({ runtime: "command", command })).rejects.toMatchObject(
        notFound,
      );
    await os.exec("printf '#!/bin/sh\\necho once\\n' > once && chmod +x once");
    await using once = await os.createSession({ runtime: "command", command: "./once" });
    await expect(once.prompt("go")).resolves.toMatchObject({ text: "once" });
    await os.exec("rm once");
    await expect(Promise.resolve(once.prompt("go"))).rejects.toMatchObject(notFound);
  });

  test("[session.fork] a fork of a session is in a new VM with the files as they were", async () => {
    await using os = await AgentOs.create({ driver: "linux" });
    await using session = await os.createSession({
      runtime: "command",
      command: "sh",
      args: ["-c", "cat notes; cat >> notes"],
    });
    await session.prompt("one\n");
    const fork = await session.fork();
    await using other = fork.os;
    expect(other.id).not.toBe(os.id);
    await expect(Promise.resolve(fork.session.prompt("two\n"))).resolves.toMatchObject({
      text: "one",
    });
    await expect(Promise.resolve(session.prompt("three\n"))).resolves.toMatchObject({
      text: "one",
    });
    expect(await fork.session.info()).toMatchObject({ parent: session.id, turns: 2 });
    expect(await other.fs.readFile("/workspace/notes", "utf8")).toBe("one\ntwo\n");
  });

  test("[runtime.no-orphan] a cancelled program's whole tree is gone, wherever it hid", async () => {
    await using os = await AgentOs.create({ driver: "linux" });
    const session = await os.createSession({
      runtime: "command",
      command: "sh",
      args: ["-c", HIDES, "sh", "{prompt}"],
      timeouts: { shutdownMs: 2_000 },
    });
    const turn = session.prompt("go");
    for await (const event of turn) if (event.type === "text") break;
    await expect.poll(() => sleepers(os)).toEqual(["sleep 1001", "sleep 1002", "sleep 1003"]);
    const ended = Promise.resolve(turn).catch((error: unknown) => error);
    await session.cancel();
    expect(await ended).toMatchObject({ code: "CANCELLED" });
    await session.close();
    expect(await sleepers(os)).toEqual([]);
  });

  test("[runtime.background] what a program leaves running is ended with its session", async () => {
    await using os = await AgentOs.create({ driver: "linux" });
    const session = await os.createSession({
      runtime: "command",
      command: "sh",
      args: ["-c", "setsid sleep 2001 & echo started {prompt}"],
    });
    expect(await session.prompt("one")).toMatchObject({ text: "started one" });
    expect(await session.prompt("two")).toMatchObject({ text: "started two" });
    await expect.poll(() => sleepers(os)).toEqual(["sleep 2001", "sleep 2001"]);
    await session.close();
    expect(await sleepers(os)).toEqual([]);
  });
});
