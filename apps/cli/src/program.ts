import { Command, CommanderError } from "commander";

import { CommandContext } from "./command-context.ts";
import { defineAgentsCommands } from "./definitions/agents.ts";
import { defineAgentCommands } from "./definitions/agent.ts";
import { defineCopyCommand } from "./definitions/copy.ts";
import { defineLimitsCommand } from "./definitions/limits.ts";
import { defineGuestCommands } from "./definitions/guest.ts";
import { defineImageCommands } from "./definitions/image.ts";
import { defineNetworkCommands } from "./definitions/network.ts";
import { defineRelayCommands } from "./definitions/relay.ts";
import { defineRelayBrokerCommand } from "./definitions/relay-broker.ts";
import { defineSessionCommands } from "./definitions/session.ts";
import { defineSidecarCommands } from "./definitions/sidecar.ts";
import { defineSnapshotCommands } from "./definitions/snapshot.ts";
import { defineTerminalCommands } from "./definitions/terminal.ts";
import { defineWorkflowCommands } from "./definitions/workflow.ts";
import { EXIT_CODE } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { VERSION } from "./version.ts";

const HELP = `
Exit codes: 0 ok; 3 the agent stopped early (session), the workflow did not complete; the guest's own, or 128 + its signal (run, exec); 64 wrong arguments;
124 timed out; 125 AgentOS failed; 126 not executable; 127 not found; 130 interrupted.`;

/** Runs one command line to its end and resolves with the exit code; never rejects. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  const context = new CommandContext(io);
  try {
    await createProgram(context).parseAsync([...args], { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      const { printFailure } = await import("./output/failure.ts");
      await printFailure(io, error, false);
      return EXIT_CODE.failed;
    }
    return error.exitCode === 0 ? EXIT_CODE.ok : EXIT_CODE.usage;
  }
}

/** The command tree of `agentos`. What a command does is imported when it runs. */
function createProgram(context: CommandContext): Command {
  const program = new Command("agentos")
    .description("Run programs and agents in isolated workspaces on this machine.")
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => void context.io.stdout.write(text),
      writeErr: (text) => void context.io.stderr.write(text),
      outputError: (text, print) => print(text.replace(/^error: /, "agentos: ")),
    })
    .addHelpText("after", HELP);
  defineSidecarCommands(program, context);
  defineGuestCommands(program, context);
  defineTerminalCommands(program, context);
  defineCopyCommand(program, context);
  defineLimitsCommand(program, context);
  defineNetworkCommands(program, context);
  defineSnapshotCommands(program, context);
  defineImageCommands(program, context);
  defineSessionCommands(program, context);
  defineRelayBrokerCommand(program, context);
  defineAgentCommands(program, context);
  defineRelayCommands(program, context);
  defineAgentsCommands(program, context);
  defineWorkflowCommands(program, context);
  for (const command of [program, ...commandsBelow(program)]) addGlobals(command);
  return program;
}

function commandsBelow(command: Command): Command[] {
  return command.commands.flatMap((below) => [below, ...commandsBelow(below)]);
}

function pathOf(command: Command): string {
  return command.parent === null ? "agentos" : `${pathOf(command.parent)} ${command.name()}`;
}

function addGlobals(command: Command): void {
  const path = pathOf(command);
  command
    .option("--pool <name>", 'the sidecar to use, by its pool (default: "default")')
    .option("--json", "one JSON document, or one JSON line per event")
    .showHelpAfterError(`usage: ${path} ${command.usage()}\nSee: ${path} --help`);
}
