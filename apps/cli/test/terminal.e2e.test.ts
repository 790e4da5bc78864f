import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { AgentOsCommand } from "./agentos-command.ts";
import { canPlayTerminal, Person } from "./person.ts";

let agentos: AgentOsCommand;

beforeAll(async () => {
  agentos = await AgentOsCommand.create();
});
afterAll(async () => {
  await agentos[Symbol.asyncDispose]();
});

/** Says by name what is left out where nothing can play a person's terminal. */
function needsPython(skip: (note: string) => void): void {
  if (canPlayTerminal) return;
  const note = "this machine has no python3 with pty";
  process.stdout.write(`NOT RUN: terminal.command, terminal.detach, because ${note}\n`);
  skip(note);
}

const shell = (...args: string[]) => Person.at(agentos, ["shell", ...args]);
const leave = "\u0010\u0011";

describe("agentos shell", () => {
  test("[terminal.command] passes keys, size and exit code on, and restores the terminal", async ({
    skip,
  }) => {
    needsPython(skip);
    await using person = shell("--env", "PS1=guest> ", "--cwd", "/tmp");
    await person.sees("guest> ");
    person.type("stty size; echo $TERM $PWD\r");
    await person.sees("30 100\r\nxterm-256color /tmp\r\n");
    person.resize(77, 22);
    // Said by what the ^C is for: before it runs, the shell itself would take the ^C.
    person.type("sh -c 'echo it runs; sleep 1000'\r");
    await person.sees("it runs\r\n");
    // The shell's next prompt can come before the kernel's echo of ^C: it signals first. What is
    // typed before that prompt may be lost with the line that the ^C ended.
    person.type("\u0003");
    await person.sees("guest> ");
    person.type("stty size; exit 7\r");
    await person.sees("22 77\r\n");
    expect(await person.left).toEqual({ code: 7, isRestored: true });
  });

  test("[terminal.command] undoes what a program has done to the screen when a signal ends it", async ({
    skip,
  }) => {
    needsPython(skip);
    await using person = shell("--env", "PS1=guest> ");
    await person.sees("guest> ");
    person.type("printf '\\033[?1049h\\033[?25l\\033[31mdra''wn'; sleep 1000\r");
    await person.sees("drawn");
    person.signal("SIGTERM");
    expect(await person.left).toEqual({ code: 143, isRestored: true });
    expect(person.screen).toContain("\u001b[?25h\u001b[?1049l");
  });

  test("[terminal.detach] is left by its keys and gone on with by agentos attach", async ({
    skip,
  }) => {
    needsPython(skip);
    await using first = shell("--name", "dev", "--env", "PS1=guest> ");
    await first.sees("guest> ");
    first.type("x=kept\r");
    await first.sees("guest> ");
    // One of the keys alone is the guest's.
    first.type("\u0010 # again\r");
    await first.sees("# again");
    await first.sees("guest> ");
    first.type(leave);
    const [, id = ""] = /agentos attach (t-[0-9a-f]+)/.exec(await first.sees(/attach t-\w+/)) ?? [];
    expect(await first.left).toEqual({ code: 0, isRestored: true });
    await using second = Person.at(agentos, ["attach", id, "--detach-keys", "ctrl-a,d"]);
    // What was there before, then what comes.
    await second.sees(/x=kept.*again.*guest> /s);
    second.type(`echo $x ${leave}\r`);
    await second.sees("kept");
    second.type("\u0001d");
    expect(await second.left).toEqual({ code: 0, isRestored: true });
    await using third = Person.at(agentos, ["attach", "dev"]);
    await third.sees(/kept.*guest> /s);
    third.type("exit 5\r");
    expect(await third.left).toEqual({ code: 5, isRestored: true });
    expect((await agentos.run(["exec", "dev", "--", "true"])).exitCode).toBe(0);
  });

  test("[terminal.no-terminal] without a terminal says so", async () => {
    const { exitCode, stderr } = await agentos.run(["shell"]);
    expect(exitCode).toBe(125);
    expect(stderr).toBe(
      "agentos: expected a terminal as stdin, got a file or a pipe\n         Without one, run programs with: agentos run, agentos exec\n",
    );
    expect((await agentos.run(["attach", "t-1"])).exitCode).toBe(125);
    expect((await agentos.run(["shell", "--json"])).exitCode).toBe(64);
    expect((await agentos.run(["shell", "--detach-keys", "ctrl-1"])).exitCode).toBe(64);
    expect((await agentos.run(["shell", "--name", "x", "dev"])).exitCode).toBe(64);
  });
});
