import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { InboxOptions } from "../commands/relay/inbox.ts";
import type { SendOptions } from "../commands/relay/send.ts";
import { parseWhole } from "../options/parse-number.ts";

const SEND_HELP = `
Done once the message is stored. --wait waits for more, and fails where it can't come.

  agentos send Alice "How far are you?" --reply
  agentos send '#general' "Stop, please." --priority 0`;

/** `send`, `inbox`, `channel`, `threads`, `deadletters`, `metrics`, `health`: what agents say, and how they are. */
export function defineRelayCommands(program: Command, context: CommandContext): void {
  defineSend(program, context);
  defineInbox(program, context);
  defineChannel(program, context);
  defineRecords(program, context);
  defineFigures(program, context);
}

function defineSend(program: Command, context: CommandContext): void {
  program
    .command("send")
    .description("send a message to an agent, #channel, team:..., human:... or '*'")
    .argument("<to>", "who gets it")
    .argument("<text>", "what to say; - reads it from standard input")
    .option("--from <name>", "who says it: human:..., or an agent's name")
    .option("--thread <id>", "the thread that it belongs to")
    .option("--reply-to <message>", "the message that it answers")
    .option("--priority <number>", "0 is urgent, 4 can wait (default: 2)", parseWhole)
    .option("--steer", "into the turn that runs, where the agent can")
    .option("--wait <state>", "until it is handed_over, consumed or answered")
    .option("--reply", "until a reply comes, and print that")
    .option("--timeout <seconds>", "how long to wait (default: 60)", parseWhole)
    .addHelpText("after", SEND_HELP)
    .action((to: string, text: string, options: SendOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/relay/send.ts")).send(context.io, globals, to, text, options),
      ),
    );
}

function defineInbox(program: Command, context: CommandContext): void {
  program
    .command("inbox")
    .description("messages that wait for you, or for somebody else")
    .option("--of <name>", "an agent's name, or human:... (default: human:orchestrator)")
    .option("--take", "they count as read with this")
    .option("--all", "those that were read, too")
    .action((options: InboxOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/relay/inbox.ts")).inbox(context.io, globals, options),
      ),
    );
}

function defineChannel(program: Command, context: CommandContext): void {
  const channel = program.command("channel").description("channels and who is in them");
  channel
    .command("list")
    .description("the channels with their members")
    .action((_options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/relay/channel.ts")).list(context.io, globals),
      ),
    );
  for (const verb of ["join", "leave"] as const) {
    channel
      .command(verb)
      .description(verb === "join" ? "make an agent a member" : "end an agent's membership")
      .argument("<agent>", "the agent's name")
      .argument("<channel>", "with or without its #")
      .action((name: string, to: string, _options: object, self: Command) =>
        context.run(self, async (globals) =>
          (await import("../commands/relay/channel.ts")).change(
            context.io,
            globals,
            verb,
            name,
            to,
          ),
        ),
      );
  }
  channel
    .command("history")
    .description("what was said in a channel, newest last")
    .argument("<channel>", "with or without its #")
    .action((name: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/relay/channel.ts")).history(context.io, globals, name),
      ),
    );
}

function defineRecords(program: Command, context: CommandContext): void {
  program
    .command("threads")
    .description("the threads, or one thread's messages")
    .argument("[thread]", "a thread's id")
    .action((thread: string | undefined, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/relay/threads.ts")).threads(context.io, globals, thread),
      ),
    );
  program
    .command("deadletters")
    .description("messages that nobody got")
    .option("--redeliver <delivery>", "send this one again")
    .option("--to <agent>", "to another agent")
    .action((options: { redeliver?: string; to?: string }, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/relay/dead-letters.ts")).deadLetters(
          context.io,
          globals,
          options,
        ),
      ),
    );
}

function defineFigures(program: Command, context: CommandContext): void {
  program
    .command("metrics")
    .description("what agents use now")
    .argument("[agent]", "only this one")
    .action((name: string | undefined, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/relay/metrics.ts")).metrics(context.io, globals, name),
      ),
    );
  program
    .command("health")
    .description("the agents' crashes, and a score")
    .action((_options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/relay/health.ts")).health(context.io, globals),
      ),
    );
}
