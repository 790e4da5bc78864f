import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import { parseVm } from "../options/parse-vm.ts";

/** `demo`, `ps`, `up` and `down`. */
export function defineSidecarCommands(program: Command, context: CommandContext): void {
  const { io } = context;
  program
    .command("demo")
    .description("a project's failing test, found and fixed in a VM, in a few seconds")
    .action((_options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/demo.ts")).demo(io, globals),
      ),
    );
  program
    .command("ps")
    .description("the VMs of the pool, or every process of one VM")
    .argument("[vm]", "a VM's name or id", parseVm)
    .action((vm: string | undefined, _options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/ps.ts")).ps(io, globals, vm),
      ),
    );
  program
    .command("up")
    .description("start the pool's sidecar and keep it running")
    .action((_options: object, command: Command) =>
      context.run(command, async (globals) => (await import("../commands/up.ts")).up(io, globals)),
    );
  program
    .command("down")
    .description("end the pool's sidecar and every VM in it")
    .action((_options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/down.ts")).down(io, globals),
      ),
    );
}
