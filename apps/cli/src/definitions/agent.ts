import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { AgentLogsOptions } from "../commands/agent/logs.ts";
import type { ReleaseOptions } from "../commands/agent/release.ts";
import type { SpawnOptions } from "../commands/agent/spawn.ts";
import { parseName } from "../options/parse-name.ts";
import { parseWhole } from "../options/parse-number.ts";
import { addAgentOptions, many } from "./session.ts";

const SPAWN_HELP = `
The agent stays in its VM when this command ends. Say things to it with: agentos send

  agentos agent spawn Alice --runtime anthropic --vm work --task "Review the last commit"
  agentos agent logs Alice --follow`;

const HOLDING = [
  ["hold", "keep an agent's messages in its mailbox"],
  ["unhold", "deliver them as they come again"],
  ["flush", "deliver what its mailbox holds now"],
] as const;
const NAME = "the agent's name";

/** `agent`: agents by name. */
export function defineAgentCommands(program: Command, context: CommandContext): void {
  const agent = program
    .command("agent")
    .description("agents by name, that message one another")
    .enablePositionalOptions();
  defineSpawn(agent, context);
  defineLooking(agent, context);
  defineControl(agent, context);
  defineHolding(agent, context);
}

function defineSpawn(agent: Command, context: CommandContext): void {
  const spawn = agent
    .command("spawn")
    .description("start an agent")
    .argument("<name>", NAME)
    .requiredOption("--runtime <name>", "the kind of agent: api, anthropic, openai, gemini, ...")
    .requiredOption("--vm <name>", "the VM to work in, made where there is none", parseName)
    .option("--command <program>", "the agent's program, where its runtime takes one")
    .option("--arg <text>", "an argument of it", many)
    .option("--task <text>", "what it is to do first")
    .option("--team <name>", "its team")
    .option("--channel <name>", "a channel to be in (default: general)", many)
    .option("--parent <agent>", "the agent that it belongs to")
    .option("--continue-from <agent>", "go on from an agent that was released")
    .option("--shadow-of <agent>", "get copies of that agent's messages")
    .option("--restart <times>", "start it again when it dies, so often", parseWhole);
  addAgentOptions(spawn)
    .addHelpText("after", SPAWN_HELP)
    .action((name: string, options: SpawnOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agent/spawn.ts")).spawn(context.io, globals, name, options),
      ),
    );
}

function defineLooking(agent: Command, context: CommandContext): void {
  agent
    .command("list")
    .description("the agents that live")
    .action((_options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agent/list.ts")).list(context.io, globals),
      ),
    );
  agent
    .command("show")
    .description("what an agent is and does")
    .argument("<name>", NAME)
    .action((name: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agent/show.ts")).show(context.io, globals, name),
      ),
    );
  agent
    .command("logs")
    .description("what an agent has put out")
    .argument("<name>", NAME)
    .option("-f, --follow", "go on with what comes")
    .action((name: string, options: AgentLogsOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agent/logs.ts")).logs(context.io, globals, name, options),
      ),
    );
}

function defineControl(agent: Command, context: CommandContext): void {
  agent
    .command("input")
    .description("type into an agent's terminal")
    .argument("<name>", NAME)
    .argument("<text>", "what to type; a line ends with \\n")
    .action((name: string, text: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agent/input.ts")).input(context.io, globals, name, text),
      ),
    );
  agent
    .command("model")
    .description("switch an agent's model")
    .argument("<name>", NAME)
    .argument("<model>", "the model")
    .action((name: string, model: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agent/model.ts")).model(context.io, globals, name, model),
      ),
    );
  agent
    .command("release")
    .description("end an agent")
    .argument("<name>", NAME)
    .option("--reason <text>", "why, for the agent that goes on from it")
    .action((name: string, options: ReleaseOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/agent/release.ts")).release(context.io, globals, name, options),
      ),
    );
}

function defineHolding(agent: Command, context: CommandContext): void {
  for (const [verb, description] of HOLDING)
    agent
      .command(verb)
      .description(description)
      .argument("<name>", NAME)
      .action((name: string, _options: object, self: Command) =>
        context.run(self, async (globals) =>
          (await import("../commands/agent/hold.ts")).hold(context.io, globals, name, verb),
        ),
      );
}
