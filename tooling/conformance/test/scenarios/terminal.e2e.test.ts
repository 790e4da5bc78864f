import { AgentOs, type Terminal, type TerminalOptions } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Screen } from "./screen.ts";
import { until, useWorld } from "./world.ts";

useWorld();
let os: AgentOs;
beforeAll(async () => {
  os = await AgentOs.create();
});
afterAll(() => os.dispose());

/** A terminal and its screen, gone at the test's end. */
async function opened(options: TerminalOptions = {}): Promise<Screen & AsyncDisposable> {
  const screen = new Screen(await os.openTerminal({ env: { PS1: "$ " }, ...options }));
  return Object.assign(screen, {
    [Symbol.asyncDispose]: async () => await screen.terminal[Symbol.asyncDispose](),
  });
}

const plainBash = ["bash", "--norc", "--noprofile"];
const bytesOf = (count: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: count }, (_, index) => (index * 31 + (index >> 8)) & 255));
const shows = (terminal: Terminal, text: string | RegExp) =>
  until(async () => {
    const screen = await terminal.snapshot();
    return typeof text === "string" ? screen.includes(text) : text.test(screen);
  });

/** Says by name what is left out where the machine has no such program. */
async function needs(program: string, skip: (note: string) => void): Promise<void> {
  if ((await os.exec(["sh", "-c", `command -v ${program}`])).exitCode === 0) return;
  process.stdout.write(`NOT RUN: terminal.${program}, because the VM has no ${program}\n`);
  skip(`the VM has no ${program}`);
}

describe("a terminal", () => {
  test("[terminal.tty] is the controlling terminal of a session of its own, with a size and a TERM", async () => {
    await using screen = await opened({
      command: 'tty; stty size; echo "$TERM"; echo there > /dev/tty; ps -o sid=,tty= -p $$; exit 3',
      cols: 101,
      rows: 31,
    });
    await screen.done;
    const lines = screen.text.split("\r\n").map((line) => line.trim());
    expect(lines).toEqual([
      expect.stringMatching(/^\/dev\/pts\/\d+$/),
      "31 101",
      "xterm-256color",
      "there",
      `${screen.terminal.pid} ${lines[0]?.slice("/dev/".length)}`,
      "",
    ]);
    expect(await screen.terminal.exited).toMatchObject({ exitCode: 3, outcome: "exited" });
    expect(await os.terminals()).toContainEqual(
      expect.objectContaining({ terminalId: screen.terminal.id, state: "exited", cols: 101 }),
    );
  });

  test("[terminal.resize] a new size is seen by stty and told by SIGWINCH", async () => {
    await using screen = await opened({
      command: ["bash", "-c", "trap 'stty size' WINCH; echo ready; while :; do read -t 0.05; done"],
    });
    await screen.until("ready");
    await screen.terminal.resize({ cols: 132, rows: 50 });
    await screen.until("50 132\r\n");
    expect(await os.terminals()).toContainEqual(
      expect.objectContaining({ terminalId: screen.terminal.id, cols: 132, rows: 50 }),
    );
  });

  test("[terminal.paste] a MiB pasted into a raw terminal comes back whole", async () => {
    await using screen = await opened({ command: "stty raw -echo; echo ready; head -c 1048576" });
    await screen.until("ready\n");
    const paste = bytesOf(1_048_576);
    await Promise.all([screen.terminal.write(paste), screen.done]);
    expect(screen.bytes.subarray(-paste.length).equals(paste)).toBe(true);
    expect(screen.terminal.skippedBytes).toBe(0);
  });

  test("[terminal.long-line] a pasted line of 100 KiB arrives whole at a shell", async () => {
    await using screen = await opened({ command: plainBash });
    await screen.until("$ ");
    const line = Array.from(
      { length: 100 * 128 },
      (_, word) => `w${String(word).padStart(6, "0")}`,
    );
    await screen.type(`\u001b[200~cat > line <<< "${line.join(" ")}"\u001b[201~\r`, "\r\n");
    await screen.type("echo ready-$(wc -c < line)\r", `ready-${line.length * 8}`);
    expect(await os.fs.readFile("/workspace/line", "utf8")).toBe(`${line.join(" ")}\n`);
  });

  test("[terminal.utf8] characters cut by frames arrive whole", async () => {
    const words = "żółć ümläut 日本語 🧵 ";
    await using screen = await opened({ command: "stty raw -echo; echo ready; cat" });
    await screen.until("ready\n");
    // One byte at a time in, and sizes that cut characters out.
    for (const byte of Buffer.from(words)) await screen.terminal.write(Uint8Array.of(byte));
    await screen.until(words);
    const many = words.repeat(20_000);
    await Promise.all([screen.terminal.write(many), screen.until(many)]);
    expect(screen.text).not.toContain("\ufffd");
  });

  test("[terminal.pending] output that waits when the program ends is read to its end", async () => {
    const terminal = await os.openTerminal({ command: "seq 1 20000; exit 4" });
    await terminal.exited;
    await using screen = new Screen(terminal);
    await screen.done;
    const expected = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\r\n`).join("");
    expect(screen.text).toBe(expected);
    await terminal[Symbol.asyncDispose]();
    expect((await os.terminals()).map(({ terminalId }) => terminalId)).not.toContain(terminal.id);
  });

  test("[terminal.unread] a program that nobody reads waits, and goes on where somebody leaves", async () => {
    await using screen = await opened({ command: "seq 1 1000000; echo over > done; sleep 100" });
    await screen.until("99\r\n");
    await screen[Symbol.asyncDispose]();
    const terminal = await os.openTerminal({ command: "seq 1 1000000; echo over > over" });
    const reader = terminal.output.getReader();
    await reader.read();
    // It is held up: what it has written stays the same for two looks.
    await until(async () => (await terminal.snapshot()) === (await terminal.snapshot()));
    const held = await terminal.snapshot();
    expect(await terminal.snapshot()).toBe(held);
    expect(await os.fs.exists("/workspace/over")).toBe(false);
    await reader.cancel();
    expect(await terminal.exited).toMatchObject({ exitCode: 0 });
    await terminal[Symbol.asyncDispose]();
  });

  test("[terminal.hang-up] closing a terminal hangs up", async () => {
    const other = await os.openTerminal({
      command: [
        "bash",
        "-c",
        "trap 'echo hup > hup; exit' HUP; echo ready; while :; do sleep 0.02; done",
      ],
    });
    await using screen = new Screen(other);
    await screen.until("ready");
    await other.kill();
    expect(await other.exited).toMatchObject({ exitCode: 0 });
    expect(await os.fs.readFile("/workspace/hup", "utf8")).toBe("hup\n");
    await using stubborn = await opened({
      command: ["bash", "-c", "trap '' HUP TERM INT; echo ready; while :; do sleep 1; done"],
    });
    await stubborn.until("ready");
    const { pid } = stubborn.terminal;
    await stubborn.terminal[Symbol.asyncDispose]();
    expect((await os.processes()).map((process) => process.pid)).not.toContain(pid);
  });

  test("[terminal.readers] two readers get the same bytes, and one that stalls holds nobody up", async () => {
    await using screen = await opened({ command: "read go; seq 1 200000; read go" });
    const second = await os.attachTerminal(screen.terminal.id);
    const stalled = await os.attachTerminal(screen.terminal.id);
    await using other = new Screen(second);
    const late = stalled.output.getReader();
    await second.write("go\r");
    await late.read();
    await Promise.all([screen.until("200000\r\n"), other.until("200000\r\n")]);
    expect(other.text).toBe(screen.text);
    let read = 0;
    while (stalled.skippedBytes === 0) read += (await late.read()).value?.byteLength ?? 0;
    expect(read + stalled.skippedBytes).toBeLessThanOrEqual(screen.bytes.length);
    await late.cancel();
    second.detach();
    await expect(second.write("x")).rejects.toMatchObject({ code: "DISPOSED" });
    await screen.terminal.write("\r");
    expect(await screen.terminal.exited).toMatchObject({ exitCode: 0 });
  });

  test("[terminal.lease] a terminal outlives the lease it was opened under", async () => {
    const mine = await AgentOs.create({ name: "kept" });
    const opener = await AgentOs.attach("kept");
    const { id } = await opener.openTerminal({ command: "echo first; read line; echo got $line" });
    await opener.dispose();
    const terminal = await mine.attachTerminal(id);
    await using screen = new Screen(terminal);
    await screen.until("first");
    await screen.type("second\r", "got second");
    expect(await terminal.exited).toMatchObject({ exitCode: 0 });
    expect((await AgentOs.terminals()).filter(({ vmName }) => vmName === "kept")).toEqual([
      expect.objectContaining({ terminalId: id, state: "exited" }),
    ]);
    await mine.dispose();
  });

  test("[terminal.bad-input] nonsense is refused with typed errors, and changes nothing", async () => {
    await using screen = await opened({ command: plainBash, cols: 80, rows: 24 });
    await screen.until("$ ");
    const { terminal } = screen;
    for (const size of [0, -1, 100_000, 1.5, Number.NaN]) {
      await expect(terminal.resize({ cols: size, rows: 24 })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { argument: "size.cols" },
      });
      await expect(os.openTerminal({ rows: size })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { argument: "options.rows" },
      });
    }
    await screen.type("stty size\r", "24 80\r\n");
    await expect(os.attachTerminal("no-such")).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { kind: "terminal", id: "no-such" },
    });
    const plain = await os.spawn(["sleep", "100"]);
    await expect(os.attachTerminal(plain.id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await plain[Symbol.asyncDispose]();
    await expect(os.openTerminal({ command: [] })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(os.openTerminal({ command: ["/no/such"] })).rejects.toMatchObject({
      code: "COMMAND_NOT_FOUND",
    });
    await expect(os.openTerminal({ cwd: "/no/such" })).rejects.toMatchObject({
      code: "FILE_SYSTEM",
    });
    await screen.type("exit\r", "exit");
    await terminal.exited;
    await expect(terminal.write("x")).rejects.toMatchObject({
      code: "FILE_SYSTEM",
      details: { errno: "EIO" },
    });
    await terminal.kill("SIGKILL");
  });

  test("[terminal.snapshot] the screen as text is what a person would see, from any holder", async () => {
    await using screen = await opened({
      command: "printf 'one\\ntwo\\n\\033[1;5H\\033[2Jcleared\\033[3;3Hthere'; exec sleep 100",
      cols: 20,
      rows: 5,
    });
    await screen.until("there");
    const expected = "    cleared\n\n  there";
    expect((await screen.terminal.snapshot()).trimEnd()).toContain("there");
    const other = await os.attachTerminal(screen.terminal.id);
    expect(await other.snapshot()).toBe(await screen.terminal.snapshot());
    expect(await other.snapshot()).toBe(expected);
    // Much more than is kept: only the last of it is on the screen.
    await using flood = await opened({ command: "seq 1 300000; exec sleep 100", rows: 4 });
    await flood.until("300000\r\n");
    expect(await flood.terminal.snapshot()).toBe("299998\n299999\n300000");
  });
});

describe("real programs", () => {
  test("[terminal.jobs] bash has job control: Ctrl-Z, jobs, fg, Ctrl-C", async () => {
    await using screen = await opened({ command: plainBash });
    await screen.until("$ ");
    await screen.type("sleep 1000\r", "sleep 1000\r\n");
    await until(async () => (await os.processes()).some(({ command }) => command === "sleep 1000"));
    await screen.type("\u001a", /\[1\]\+ +Stopped +sleep 1000/);
    await screen.type("jobs\r", /\[1\]\+ +Stopped +sleep 1000/);
    await screen.type("fg\r", "sleep 1000\r\n");
    // Only what goes on again has the terminal: before, ^C is the shell's.
    await until(async () =>
      (await os.processes()).some(
        ({ command, state }) => command === "sleep 1000" && state === "S",
      ),
    );
    // Not waited for is the echo of ^C: the kernel signals first, so it can come after the prompt.
    await screen.type("\u0003", "$ ");
    await screen.type("echo ended with $?\r", "ended with 130\r\n");
    await screen.type("sleep 1000 &\r", /\[1\] \d+/);
    await screen.type("kill %1; wait %1; echo ended with $?\r", "ended with 143\r\n");
    expect(await os.processes()).not.toContainEqual(
      expect.objectContaining({ command: "sleep 1000" }),
    );
  });

  test("[terminal.vim] vim edits a file, and the screen is as before when it ends", async ({
    skip,
  }) => {
    await needs("vim", skip);
    await using screen = await opened({ command: plainBash, cols: 60, rows: 12 });
    await screen.until("$ ");
    await screen.type("echo before vim\r", /before vim\r\n.*before vim\r\n.*\$ /s);
    await screen.terminal.write("vim -u NONE -n text\r");
    await shows(screen.terminal, /~\n.*text/s);
    await screen.terminal.write("ihello from vim\u001b");
    await shows(screen.terminal, "hello from vim");
    await screen.terminal.resize({ cols: 40, rows: 8 });
    await shows(screen.terminal, /^hello from vim\n(?:~\n){5}~$/);
    expect(await screen.terminal.snapshot()).not.toContain("before vim");
    await screen.terminal.write(":wq\r");
    await shows(screen.terminal, /before vim\n\$ vim.*\n\$$/s);
    expect(await os.fs.readFile("/workspace/text", "utf8")).toBe("hello from vim\n");
  });

  test("[terminal.less] less pages, and ends", async ({ skip }) => {
    await needs("less", skip);
    await using screen = await opened({ command: "seq 1 1000 | less; echo back", rows: 10 });
    await shows(screen.terminal, /^1\n2\n.*9\n:$/s);
    await screen.terminal.write(" ");
    await shows(screen.terminal, /^10\n.*18\n:$/s);
    await screen.terminal.write("G");
    await shows(screen.terminal, /1000\n\(END\)$/);
    await screen.terminal.write("q");
    await screen.until("back");
    expect(await screen.terminal.exited).toMatchObject({ exitCode: 0 });
  });

  test("[terminal.top] top draws and ends", async ({ skip }) => {
    await needs("top", skip);
    await using screen = await opened({ command: ["top"], cols: 100, rows: 20 });
    await shows(screen.terminal, /top - .*\n.*PID +USER.*COMMAND.*\n.*top/s);
    await screen.terminal.write("q");
    expect(await screen.terminal.exited).toMatchObject({ exitCode: 0 });
  });

  test("[terminal.python] python's prompt edits and answers", async ({ skip }) => {
    await needs("python3", skip);
    await using screen = await opened({ command: ["python3", "-q"] });
    await screen.until(">>> ");
    // Typed wrong, and repaired: erased, and from the history.
    await screen.type("6*8\u007f7\r", "42\r\n");
    await screen.until(">>> ");
    await screen.type("\u001b[A + 1\r", "43\r\n");
    // Before the prompt Python's line editor is off: the terminal itself would take the ^D.
    await screen.until(">>> ");
    await screen.terminal.write("\u0004");
    expect(await screen.terminal.exited).toMatchObject({ exitCode: 0 });
  });

  test("[terminal.tmux] tmux runs in it, with terminals of its own", async ({ skip }) => {
    await needs("tmux", skip);
    await using screen = await opened({
      command: "tmux -f /dev/null new -s one 'sh -i'",
      cols: 80,
      rows: 20,
    });
    await shows(screen.terminal, /\[one\] 0:/);
    await screen.terminal.write("tty; stty size\r");
    await shows(screen.terminal, /\/dev\/pts\/\d+\n19 80/);
    await screen.terminal.write('\u0002"');
    await shows(screen.terminal, /─{20}/);
    await screen.terminal.write("\u0002d");
    await screen.until("detached");
    expect(await screen.terminal.exited).toMatchObject({ exitCode: 0 });
    expect((await os.exec("tmux list-panes -t one | wc -l; tmux kill-server")).stdout).toBe("2\n");
  });

  test("[terminal.progress] a progress bar draws over its own line", async () => {
    const bar =
      "for i in $(seq 0 10 100); do printf '\\r[%-10s] %3d%%' $(head -c $((i/10)) /dev/zero | tr '\\0' '#') $i; done; echo; exec sleep 100";
    await using screen = await opened({ command: ["bash", "-c", bar] });
    await screen.until("100%");
    await shows(screen.terminal, "100%");
    expect(await screen.terminal.snapshot()).toBe("[##########] 100%");
  });
});
