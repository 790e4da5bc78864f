import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import { parseForward, type PortPair } from "../options/parse-forward.ts";
import { parseVm } from "../options/parse-vm.ts";

const FORWARD_HELP = `
Listens on 127.0.0.1 until Ctrl-C. Web pages are let in under the names localhost and 127.0.0.1 only.

  agentos forward web 3000           agentos forward web 5432:15432`;

/** `forward`: what leads into a VM's network. */
export function defineNetworkCommands(program: Command, context: CommandContext): void {
  program
    .command("forward")
    .description("a port of this machine that leads to a program in a VM")
    .argument("<vm>", "a VM's name or id", parseVm)
    .argument("<port>", "PORT, or PORT:LOCAL for one of your choice here", parseForward)
    .addHelpText("after", FORWARD_HELP)
    .action((vm: string, ports: PortPair, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/forward.ts")).forward(context.io, globals, vm, ports),
      ),
    );
}
