import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
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
    .addHelpText("after", HELP)
    .action((...args: [Location, Location, object, Command]) => {
      const [source, target, , command] = args;
      if ((source.kind === "vm") === (target.kind === "vm")) {
        command.error("error: expected exactly one of SRC and DST to be VM:PATH");
      }
      return context.run(command, async (globals) =>
        (await import("../commands/cp.ts")).cp(context.io, globals, source, target),
      );
    });
}
