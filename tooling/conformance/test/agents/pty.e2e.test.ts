import { AgentOs } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { DRIVERS_HERE } from "../drivers/each-driver.ts";
import { useWorld } from "../scenarios/world.ts";

useWorld();

/** A program that draws its screen: it asks where its cursor is, takes pastes, and ignores what is no answer. */
const SCREEN = String.raw`
process.stdin.setRawMode(true);
const say = (text) => process.stdout.write(text.replaceAll("\n", "\r\n"));
say("\x1b[6n");
let typed = "";
process.stdin.on("data", (bytes) => {
  typed += bytes;
  const place = /\x1b\[(\d+);(\d+)R/.exec(typed);
  if (place) {
    typed = typed.replace(place[0], "");
    say("\x1b[?2004hcursor at " + place[1] + "," + place[2] + "\n> ");
  }
  if (typed.includes("\x03")) process.exit(3);
  if (!typed.endsWith("\r")) return;
  const paste = /^\x1b\[200~([^]*)\x1b\[201~\r$/.exec(typed);
  typed = "";
  say("\nworking");
  setTimeout(() => say("\ngot " + JSON.stringify(paste?.[1] ?? null) + "\n> "), 600);
});
`;

describe.runIf(DRIVERS_HERE.includes("linux"))("a program on a terminal as an agent", () => {
  test("[runtime.pty] prompts are typed as pastes, and its screen is the answer", async () => {
    await using os = await AgentOs.create({ driver: "linux" });
    await os.fs.writeFile("/workspace/screen.js", SCREEN);
    const session = await os.createSession({
      runtime: "pty",
      command: "node",
      args: ["screen.js"],
      terminal: { ready: "^> *$(?![^])", quietMs: 100 },
      timeouts: { shutdownMs: 2_000 },
    });
    const prompt = 'two lines,\n"quoted" é🙂 \u001b[201~\r rest';
    expect(await session.prompt(prompt)).toMatchObject({
      stopReason: "end_turn",
      text: `working\ngot ${JSON.stringify('two lines,\n"quoted" é🙂 [201~\n rest')}`,
    });
    const gone = Promise.resolve(session.prompt("again"));
    gone.catch(() => undefined);
    await expect.poll(async () => (await session.info()).state).toBe("running");
    await session.cancel();
    await expect(gone).rejects.toMatchObject({ code: "CANCELLED" });
    // ^C ended this program: the next prompt has another one.
    expect(await session.prompt("new")).toMatchObject({ text: 'working\ngot "new"' });
    await session.close();
    expect((await os.processes()).map(({ command }) => command)).toHaveLength(1);
  });

  test("[runtime.pty-quiet] without a pattern, silence ends a turn; an end is told", async () => {
    await using os = await AgentOs.create({ driver: "linux" });
    const session = await os.createSession({
      runtime: "pty",
      command: "bash",
      args: ["--norc", "--noprofile", "+o", "emacs"],
      env: { PS1: "$ " },
      terminal: { quietMs: 250 },
    });
    expect((await session.prompt("echo $((6 * 7))")).text).toMatch(/^42\b/);
    expect((await session.prompt("echo one\necho two")).text).toMatch(/^one echo two/);
    await expect(Promise.resolve(session.prompt("exit 5"))).rejects.toMatchObject({
      code: "AGENT_EXITED",
      details: { exitCode: 5, signal: null },
    });
    await session.close();
    await expect(
      os.createSession({ runtime: "pty", command: "bash", terminal: { ready: "(" } }),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
