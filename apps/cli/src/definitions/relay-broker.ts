import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";

const HELP = `
Arguments: [init] [--name NAME] [--channels a,b] [--api-port 0] [--copy] [--driver NAME] [--persist]

Speaks the line protocol of version 1 on standard input and output, as agent-relay clients do. Under
the name agent-relay-broker the command is this one:

  ln -s "$(command -v agentos)" ~/.agent-relay/bin/agent-relay-broker

An agent's directory is mounted at the same path, or copied with --copy. With --persist messages wait
in .agent-relay for the next broker in the directory.`;

/** `relay-broker`: for clients of another relay. */
export function defineRelayBrokerCommand(program: Command, context: CommandContext): void {
  program
    .command("relay-broker")
    .description("speak a relay's line protocol on standard input and output")
    .usage("[init] [--name NAME] [--channels a,b] [--copy]")
    .argument("[args...]", "as old clients give them")
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText("after", HELP)
    .action((args: string[], _options: object, self: Command) =>
      context.run(self, async () =>
        (await import("../commands/relay-broker.ts")).relayBroker(context.io, args),
      ),
    );
}
