import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { NetworkOptions } from "../commands/network.ts";
import { collectHost } from "../options/parse-host.ts";
import { collectPort, parseForward, type PortPair } from "../options/parse-forward.ts";
import { parseName } from "../options/parse-name.ts";
import { parseVm } from "../options/parse-vm.ts";

const FORWARD_HELP = `
Listens on 127.0.0.1 until Ctrl-C. Web pages are let in under the names localhost and 127.0.0.1 only.

  agentos forward web 3000           agentos forward web 5432:15432`;

const NETWORK_HELP = `
Without options: what the VM's programs may reach. A HOST is example.com, *.example.com, an address, a
range, or *; with :PORT or :*, else ports 80 and 443. The list replaces the one before, at once. VMs on
one private network reach one another by name, at the ports that each offers.

  agentos network web                agentos network web --allow-host packages.example.org`;

/** `forward` and `network`: what leads into a VM, and out of it. */
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
  program
    .command("network")
    .description("what a VM's programs may reach")
    .argument("<vm>", "a VM's name or id", parseVm)
    .option("--allow-host <host>", "let them reach this, and no other; repeatable", collectHost)
    .option("--none", "let them reach no host")
    .option("--private <network>", "put the VM on this private network of VMs", parseName)
    .option("--offer <port>", "let VMs there reach this port of it; repeatable", collectPort)
    .option("--leave", "take it off its private network")
    .addHelpText("after", NETWORK_HELP)
    .action((vm: string, options: NetworkOptions, self: Command) => {
      checkNetworkOptions(options, self);
      return context.run(self, async (globals) =>
        (await import("../commands/network.ts")).network(context.io, globals, vm, options),
      );
    });
}

/** Ends the command where options exclude one another. */
export function checkNetworkOptions(options: NetworkOptions, self: Command): void {
  if (options.none === true && options.allowHost !== undefined)
    self.error("error: --none and --allow-host exclude each other");
  if (options.leave === true && options.private !== undefined)
    self.error("error: --leave and --private exclude each other");
  if (options.offer !== undefined && options.private === undefined)
    self.error("error: --offer needs --private");
}
