import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { LimitsOptions } from "../commands/limits.ts";
import { parseCount, parsePositive } from "../options/parse-number.ts";
import { sizeParser } from "../options/parse-size.ts";
import { parseVm } from "../options/parse-vm.ts";

const HELP = `
Without an option it shows them. What a VM was started with bounds what it can be given while it runs:
--cpus and --pids can't be raised above their first value, and a disk is never below what it holds.

  agentos limits dev --memory 8g      agentos limits dev`;

/** `limits`. */
export function defineLimitsCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("limits")
    .description("what a VM may use and uses; change it while it runs")
    .argument("<vm>", "a VM's name or id", parseVm)
    .option("--memory <size>", "at most this much memory, such as 512m", sizeParser("16m"))
    .option("--cpus <number>", "at most this many processors, such as 1.5", parsePositive)
    .option("--pids <number>", "at most this many processes", parseCount)
    .option("--disk <size>", "at most this much in files, such as 2g", sizeParser("1m"));
  addHeldLimitOptions(command)
    .addHelpText("after", HELP)
    .action((vm: string, options: LimitsOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/limits.ts")).limits(context.io, globals, vm, options),
      ),
    );
}

/** The limits that the sidecar itself holds. */
export function addHeldLimitOptions(command: Command): Command {
  return command
    .option("--output <size>", "its programs may write this much in all", sizeParser("1"))
    .option("--output-rate <size>", "and this much in a second", sizeParser("4k"))
    .option("--net-bytes <size>", "this much may pass to and from hosts", sizeParser("1"))
    .option("--connections <number>", "at most this many connections at once", parseCount)
    .option("--terminals <number>", "at most this many terminals at once", parseCount);
}
