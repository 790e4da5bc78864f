import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { DiffCommandOptions } from "../commands/diff.ts";
import { parseGuestPath } from "../options/parse-guest-path.ts";
import { parseName } from "../options/parse-name.ts";
import { parseVm } from "../options/parse-vm.ts";

const FORK_HELP = `
Mounts, environment and secrets of VM are not inherited.

  agentos fork work left right && agentos exec left -- npm test`;

const DIFF_HELP = `
A added, M modified, D deleted, m another mode, T another kind. Exit code 0, whether something changed or not.

  agentos diff work                  agentos diff work --since built --patch | git apply -p2`;

const SNAPSHOT = "a snapshot's name or id";

/** `snapshot` and `fork`: the files of VMs, frozen. */
export function defineSnapshotCommands(program: Command, context: CommandContext): void {
  const { io } = context;
  const snapshot = program
    .command("snapshot")
    .description("frozen files of VMs, for run --from")
    .enablePositionalOptions();
  snapshot
    .command("create")
    .description("freeze a VM's files as they are now, and print the snapshot")
    .argument("<vm>", "a VM's name or id", parseVm)
    .argument("[name]", "a name for the snapshot", parseName)
    .action((vm: string, name: string | undefined, _options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/snapshot/create.ts")).create(io, globals, vm, name),
      ),
    );
  snapshot
    .command("list")
    .description("the snapshots of the pool")
    .action((_options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/snapshot/list.ts")).list(io, globals),
      ),
    );
  snapshot
    .command("remove")
    .description("remove a snapshot that no VM stands on")
    .argument("<snapshot>", SNAPSHOT, parseVm)
    .action((name: string, _options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/snapshot/remove.ts")).remove(io, globals, name),
      ),
    );
  defineFork(program, context);
  defineDiff(program, context);
}

function defineDiff(program: Command, context: CommandContext): void {
  program
    .command("diff")
    .description("what changed in a VM since a snapshot, or since it began")
    .argument("<vm>", "a VM's name or id", parseVm)
    .option("--since <snapshot>", SNAPSHOT, parseVm)
    .option("--path <path>", "look below this directory only; repeatable", collectPath)
    .option("--patch", "print a unified patch, with paths from /")
    .addHelpText("after", DIFF_HELP)
    .action((vm: string, options: DiffCommandOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/diff.ts")).diff(context.io, globals, vm, options),
      ),
    );
}

function collectPath(path: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, parseGuestPath(path)];
}

function defineFork(program: Command, context: CommandContext): void {
  program
    .command("fork")
    .description("new VMs that begin with the files of another")
    .argument("<vm>", "a VM's name or id", parseVm)
    .argument("<names...>", "a name for each new VM", (name: string, earlier: unknown) => [
      ...(Array.isArray(earlier) ? earlier : []),
      parseName(name),
    ])
    .addHelpText("after", FORK_HELP)
    .action((vm: string, names: readonly string[], _options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/fork.ts")).fork(context.io, globals, vm, names),
      ),
    );
}
