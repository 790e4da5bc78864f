import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";

const INSTALL_HELP = `
Into a store of yours, from the npm registry that npm itself is set to. VMs see the store
read-only, at /opt/agentos/agents. Versions stay side by side.

  agentos agents install claude-code
  agentos agents install codex@0.169.0`;

/** `agents`: the programs of the coding agents that sessions can have. */
export function defineAgentsCommands(program: Command, context: CommandContext): void {
  const { io } = context;
  const agents = program
    .command("agents")
    .description("the coding agents, and which of them are installed")
    .action((_options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agents.ts")).list(io, globals),
      ),
    );
  agents
    .command("install")
    .description("install an agent's program for VMs")
    .argument("<agent>", "its name, or name@version")
    .addHelpText("after", INSTALL_HELP)
    .action((name: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agents.ts")).install(io, globals, name),
      ),
    );
  agents
    .command("remove")
    .description("remove an agent's program, or one version of it")
    .argument("<agent>", "its name, or name@version")
    .action((name: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agents.ts")).remove(io, globals, name),
      ),
    );
}
