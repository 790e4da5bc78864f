import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { AttachOptions } from "../commands/attach.ts";
import type { ShellOptions } from "../commands/shell.ts";
import { environmentParser } from "../options/parse-environment.ts";
import { parseGuestPath } from "../options/parse-guest-path.ts";
import { parseName } from "../options/parse-name.ts";
import { parseVm } from "../options/parse-vm.ts";
import { parseDetachKeys } from "../terminal/detach-keys.ts";

const DETACH_KEYS = "ctrl-p,ctrl-q";

/** `shell` and `attach`: the commands that take the person's terminal over. */
export function defineTerminalCommands(program: Command, context: CommandContext): void {
  defineShell(program, context);
  defineAttach(program, context);
}

function defineShell(program: Command, context: CommandContext): void {
  const command = program
    .command("shell")
    .description("a shell, or a command, on a terminal in a VM")
    .usage("[options] [VM [-- CMD [ARG...]]]")
    .argument("[vm]", "a VM's name or id; without it a new VM, which ends with the shell", parseVm)
    .argument("[cmd...]", "what runs instead of a shell")
    .option(
      "--name <name>",
      "without VM: a name for the one that is made, which then stays",
      parseName,
    )
    .option(
      "--env <name=value>",
      "set it; NAME alone passes on the value here",
      environmentParser(context.io.env),
    )
    .option("--cwd <path>", "where it starts (default: /workspace)", parseGuestPath);
  addDetachKeys(command)
    .passThroughOptions()
    .action((vm: string | undefined, words: string[], options: ShellOptions, self: Command) => {
      refuseJson(self);
      const argv = words[0] === "--" ? words.slice(1) : words;
      if (vm !== undefined && options.name !== undefined)
        self.error("error: --name is for a VM that is made, and VM for one that exists");
      return context.run(self, async (globals) =>
        (await import("../commands/shell.ts")).shell(context.io, globals, vm, argv, options),
      );
    });
}

function defineAttach(program: Command, context: CommandContext): void {
  const command = program
    .command("attach")
    .description("go on with a terminal that was left")
    .argument("<terminal>", "its id, or its VM's name");
  addDetachKeys(command).action((terminal: string, options: AttachOptions, self: Command) => {
    refuseJson(self);
    return context.run(self, async (globals) =>
      (await import("../commands/attach.ts")).attach(context.io, globals, terminal, options),
    );
  });
}

/** A person's screen is no JSON document. */
function refuseJson(command: Command): void {
  if (command.optsWithGlobals()["json"] === true)
    command.error("error: --json has no meaning on a terminal; see agentos exec");
}

function addDetachKeys(command: Command): Command {
  return command.option(
    "--detach-keys <keys>",
    `leave it running (default: ${DETACH_KEYS}; "" for none)`,
    parseDetachKeys,
    parseDetachKeys(DETACH_KEYS),
  );
}
