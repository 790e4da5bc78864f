import { AgentOs } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Pool } from "../chaos/pool.ts";

/** Keeps every byte that is typed, takes pastes, and shows nothing of them. */
const KEEPER = String.raw`
import { appendFileSync } from "node:fs";
process.stdin.setRawMode(true);
process.stdout.write("\x1b[?2004h> ");
process.stdin.on("data", (bytes) => {
  appendFileSync("/tmp/typed", bytes);
  if (bytes.at(-1) === 13) process.stdout.write("\r\n> ");
});
`;
/** Reads lines as the kernel gives them, and keeps them. */
const READER = `
printf 'ready> '
while IFS= read -r line; do
  printf '%s\\n' "$line" >> "$1"
  printf '\\nready> '
done
`;
/** Whatever comes before it asks for it is kept as early. */
const SLOW = `
sleep 0.4
while IFS= read -r -t 0.2 line; do printf '%s\\n' "$line" >> /tmp/early; done
${READER}
`;
const PATTERN = "^(ready)?> *$(?![^])";

/** Around what a program takes as one paste. */
const PASTE = ["\u001b[200~", "\u001b[201~"] as const;

/** What is sent, and what of it may reach a terminal. */
const SENT: readonly (readonly [string, string])[] = [
  ["\u001b]0;title\u0007\u001b[2Jx", "]0;title[2Jx"],
  ["a\u001b[201~\rrm -rf /\r\u001b[200~", "a[201~\nrm -rf /\n[200~"],
  ["\u009b31m\u0090\u0003\u0004\u001a\u007fkeys", "31mkeys"],
  ["two\r\nlines\ttab\n", "two\nlines\ttab\n"],
  ["שלום مرحبا 👩‍👩‍👧 e\u0301 \u202e", "שלום مرحبا 👩‍👩‍👧 e\u0301 \u202e"],
  ["\ud800 half", "\ufffd half"],
  [`${"x".repeat(9_000)} end`, `${"x".repeat(9_000)} end`],
];

let pool: Pool;
let os: AgentOs;

beforeAll(async () => {
  pool = new Pool();
  os = await AgentOs.create({ sidecar: await pool.sidecar() });
});
afterAll(async () => {
  await os.dispose();
  await pool[Symbol.asyncDispose]();
});

const terminal = { ready: PATTERN, quietMs: 100 };
const reader = (script: string, path: string) => ({
  runtime: "pty",
  command: "bash",
  args: ["-c", script, "reader", path],
  terminal,
});
const linesOf = async (path: string): Promise<string[]> =>
  (await os.fs.readFile(path, "utf8")).trimEnd().split("\n");

describe("messages to a program on a terminal", () => {
  test("[relay.escapes-typed] [relay.paste] are pastes that nothing in them ends, without a key or control, and handed over at most", async () => {
    await os.fs.writeFile("/tmp/keeper.mjs", KEEPER);
    const keeper = { runtime: "pty", command: "node", args: ["/tmp/keeper.mjs"], terminal };
    await os.relay.spawn("Keeper", keeper);
    for (const [text] of SENT) {
      const sent = await os.relay.sendAndWait("Keeper", text, { until: "handed_over" });
      await expect(sent.deliveries()).resolves.toMatchObject([
        { state: "handed_over", history: [{}, {}, { confirmation: "written" }] },
      ]);
    }
    const typed = await os.fs.readFile("/tmp/typed", "utf8");
    const pastes = typed.split("\r").slice(0, -1);
    expect(pastes).toHaveLength(SENT.length);
    for (const [index, paste] of pastes.entries()) {
      expect(paste.startsWith(PASTE[0]) && paste.endsWith(PASTE[1])).toBe(true);
      const inside = paste.slice(PASTE[0].length, -PASTE[1].length);
      // oxlint-disable-next-line no-control-regex -- That is what is looked for.
      expect(inside).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      expect(inside).toMatch(/^Relay message \(from "human:orchestrator"/);
      expect(inside.endsWith(`\n${SENT[index]?.[1]}`)).toBe(true);
    }
    await os.relay.release("Keeper");
  });

  test("[relay.echo] are told as an echo where the terminal has shown them, and never as read", async () => {
    await os.relay.spawn("Loud", reader(READER, "/tmp/loud"));
    await os.relay.spawn("Mute", reader(`stty -echo; ${READER}`, "/tmp/mute"));
    const last = async (name: string): Promise<unknown> => {
      const sent = await os.relay.sendAndWait(name, "hello there", { until: "handed_over" });
      await os.relay.sendAndWait(name, "and on", { until: "handed_over" });
      const [delivery] = await sent.deliveries();
      return delivery?.history.at(-1);
    };
    await expect(last("Loud")).resolves.toMatchObject({
      state: "handed_over",
      confirmation: "echo",
    });
    await expect(last("Mute")).resolves.toMatchObject({
      state: "handed_over",
      confirmation: "written",
    });
    for (const path of ["/tmp/loud", "/tmp/mute"])
      await expect(linesOf(path)).resolves.toMatchObject([
        expect.stringMatching(/^Relay message .* hello there$/),
        expect.stringMatching(/^Relay message .* and on$/),
      ]);
  });

  test("[relay.readiness] wait until it is ready, whatever it does before", async () => {
    const spawning = os.relay.spawn("Slow", {
      ...reader(SLOW, "/tmp/slow"),
      task: "the task",
    });
    // It is on its way, and may be written to.
    await expect
      .poll(async () => await os.relay.agents(), { timeout: 15_000 })
      .toContainEqual(expect.objectContaining({ name: "Slow", state: "starting" }));
    const sent = await os.relay.send("Slow", "early", { priority: 0 });
    await spawning;
    await sent.until("handed_over");
    await expect(os.fs.exists("/tmp/early")).resolves.toBe(false);
    await expect(linesOf("/tmp/slow")).resolves.toMatchObject([
      "the task",
      expect.stringMatching(/early$/),
    ]);
  });

  test("[relay.long-line] that are too long for one of its lines are a file, and nothing is cut", async () => {
    await os.relay.spawn("Lines", reader(READER, "/tmp/lines"));
    const text = `${"é\n".repeat(4_000)}end`;
    await os.relay.sendAndWait("Lines", text, { until: "handed_over" });
    const [line = ""] = await linesOf("/tmp/lines");
    const [, path = ""] = /^\[text\/plain: (\/\S+)\]$/.exec(line) ?? [];
    const whole = await os.fs.readFile(path, "utf8");
    expect(whole.endsWith(`\n${text}`)).toBe(true);
    const short = "y".repeat(3_000);
    await os.relay.sendAndWait("Lines", short, { until: "handed_over" });
    expect((await linesOf("/tmp/lines"))[1]?.endsWith(short)).toBe(true);
  });
});
