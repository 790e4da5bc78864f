import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { CopyRules } from "../commands/cp.ts";
import { type Location, parseLocation } from "../options/parse-location.ts";

const HELP = `
One side is VM:PATH; a relative PATH starts at /workspace. A host path with a colon starts with / or ./
A directory that exists takes SRC into it under SRC's name; SRC/. copies what is in SRC.

  agentos cp notes.txt dev:            agentos cp dev:/workspace/report.html .`;

/** `cp`. */
export function defineCopyCommand(program: Command, context: CommandContext): void {
  program
    .command("cp")
    .description("copy a file or a tree into a VM or out of it")
    .argument("<src>", "PATH or VM:PATH", parseLocation)
    .argument("<dst>", "PATH or VM:PATH", parseLocation)
    .option(
      "--ignore <pattern>",
      "leave out what a .gitignore with this line would; repeatable",
      another,
    )
    .option("--gitignore", "into a VM: leave out what each .gitignore in the tree says")
    .addHelpText("after", HELP)
    .action((...args: [Location, Location, CopyRules, Command]) => {
      const [source, target, rules, command] = args;
      if ((source.kind === "vm") === (target.kind === "vm")) {
        command.error("error: expected exactly one of SRC and DST to be VM:PATH");
      }
      if (rules.gitignore === true && source.kind === "vm")
        command.error("error: expected --gitignore with a copy into a VM; out of it, use --ignore");
      return context.run(command, async (globals) =>
        (await import("../commands/cp.ts")).cp(context.io, globals, { source, target, ...rules }),
      );
    });
}

function another(pattern: string, patterns: readonly string[] = []): readonly string[] {
  return [...patterns, pattern];
}
