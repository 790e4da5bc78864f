import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { ExecOptions } from "../commands/exec.ts";
import type { LogsOptions } from "../commands/logs.ts";
import type { RunOptions } from "../commands/run.ts";
import { environmentParser } from "../options/parse-environment.ts";
import { parseGuestPath } from "../options/parse-guest-path.ts";
import { collectPort } from "../options/parse-forward.ts";
import { collectHost } from "../options/parse-host.ts";
import { addHeldLimitOptions } from "./limits.ts";
import { checkNetworkOptions } from "./network.ts";
import { parseName } from "../options/parse-name.ts";
import { parseCount, parsePositive, parseSeconds } from "../options/parse-number.ts";
import { sizeParser } from "../options/parse-size.ts";
import { parseVm } from "../options/parse-vm.ts";

const RUN_HELP = `
The current directory is copied to /workspace, whole. Changes stay in the VM and end with it;
--mount works on the directory itself. CMD is a program and its arguments, not a shell line.

  agentos run -- npm test            agentos run --mount -- sh -c 'make && make check'`;

/** `run`, `exec` and `logs`: the commands that carry a guest's output. */
export function defineGuestCommands(program: Command, context: CommandContext): void {
  defineRun(program, context);
  defineExec(program, context);
  defineLogs(program, context);
}

function defineRun(program: Command, context: CommandContext): void {
  const command = program
    .command("run")
    .description("run a command in a VM of its own, on the current directory")
    .usage("[options] -- CMD [ARG...]")
    .argument("<cmd...>", "the program and its arguments")
    .option("--name <name>", "a name for the VM, for exec, ps and cp meanwhile", parseName)
    .option("--driver <name>", "what isolates it: linux or virtual (default: auto)")
    .option("--image <name>", "a root filesystem (default: host); see agentos image", parseName)
    .option("--from <snapshot>", "begin with a snapshot's files; nothing is copied in", parseVm)
    .option("--mount", "the current directory itself in /workspace, not a copy")
    .option("--read-only", "with --mount: the VM can't write to it")
    .option("--map-owner", "with --mount, as root: write to a directory that root owns")
    .option("--no-copy", "an empty /workspace")
    .option("--memory <size>", "at most this much memory, such as 512m", sizeParser("16m"))
    .option("--cpus <number>", "at most this many processors, such as 1.5", parsePositive)
    .option("--pids <number>", "at most this many processes", parseCount)
    .option("--disk <size>", "at most this much in files, such as 2g", sizeParser("1m"))
    .option(
      "--allow-host <host>",
      "let it reach this, such as example.com; repeatable",
      collectHost,
    )
    .option("--private <network>", "put it on this private network of VMs", parseName)
    .option("--offer <port>", "let VMs there reach this port of it; repeatable", collectPort)
    .option("--require-limits", "fail where this machine can't hold a limit named here");
  addHeldLimitOptions(command);
  addProcessOptions(command, context)
    .addHelpText("after", RUN_HELP)
    .passThroughOptions()
    .action((argv: string[], options: RunOptions, self: Command) => {
      checkMountOptions(options, self);
      checkNetworkOptions(options, self);
      return context.run(self, async (globals) =>
        (await import("../commands/run.ts")).run(context.io, globals, argv, options),
      );
    });
}

function defineExec(program: Command, context: CommandContext): void {
  const command = program
    .command("exec")
    .description("run a command in a VM that exists")
    .usage("[options] VM -- CMD [ARG...]")
    .argument("<vm>", "a VM's name or id", parseVm)
    .argument("<cmd...>", "the program and its arguments")
    .option("--detach", "leave it running, print its process id; see agentos logs");
  addProcessOptions(command, context)
    .passThroughOptions()
    .action((vm: string, words: string[], options: ExecOptions, self: Command) => {
      const argv = commandOf(words, self);
      return context.run(self, async (globals) =>
        (await import("../commands/exec.ts")).exec(context.io, globals, vm, argv, options),
      );
    });
}

/** What follows VM: the command, after a `--` that may be left out. */
function commandOf(words: readonly string[], command: Command): readonly string[] {
  const [first = "", ...rest] = words;
  if (first === "--" && rest.length > 0) return rest;
  if (first === "--") command.error("error: missing required argument 'cmd'");
  if (first.startsWith("-")) command.error(`error: expected ${first} before VM, and CMD after it`);
  return words;
}

function defineLogs(program: Command, context: CommandContext): void {
  program
    .command("logs")
    .description("what a detached process has written")
    .argument("<vm>", "a VM's name or id", parseVm)
    .argument("<process>", "the id that exec --detach printed")
    .option("--follow", "go on until the process ends")
    .action((vm: string, process: string, options: LogsOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/logs.ts")).logs(context.io, globals, vm, process, options),
      ),
    );
}

function addProcessOptions(command: Command, context: CommandContext): Command {
  return command
    .option(
      "--env <name=value>",
      "set it; NAME alone passes on the value here",
      environmentParser(context.io.env),
    )
    .option("--cwd <path>", "where it starts (default: /workspace)", parseGuestPath)
    .option("--timeout <seconds>", "kill it after this time", parseSeconds)
    .option("--no-stdin", "don't read standard input");
}

function checkMountOptions(options: RunOptions, command: Command): void {
  const { mount, readOnly, mapOwner, copy } = options;
  if (mount !== true && readOnly === true) command.error("error: --read-only needs --mount");
  if (mount !== true && mapOwner === true) command.error("error: --map-owner needs --mount");
  if (mount === true && !copy) command.error("error: --mount and --no-copy exclude each other");
}
