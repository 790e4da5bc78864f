import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { AttachOptions } from "../commands/session/attach.ts";
import type { ForkOptions } from "../commands/session/fork.ts";
import type { ResumeOptions } from "../commands/session/resume.ts";
import type { StartOptions } from "../commands/session/start.ts";
import { parseGuestPath } from "../options/parse-guest-path.ts";
import { parseName } from "../options/parse-name.ts";
import { parseCount, parsePositive } from "../options/parse-number.ts";
import { parsePrompt } from "../options/parse-prompt.ts";
import { parseVm } from "../options/parse-vm.ts";

const START_HELP = `
Without --vm the VM, and the session's agent, end with this command. TOOL is a tool's name,
SERVER/NAME of an MCP server's, or *. With any rule, what no rule names is denied.

  agentos session start --runtime anthropic --copy . "Fix the failing test"
  agentos session start --runtime openai --vm work --allow '*' && agentos session attach ...`;

const RESUME_HELP = `
It goes on as it was. What is said here holds in place of what it had: with --provider or
--key-variable the key is read again from this shell's environment.`;

const FORK_HELP = `
Prints the new session's id. Its agent knows what was said, and the new VM has the files as they
are now. Mounts and environment are not inherited.`;

const SESSION = "a session's id, or the beginning of one";

/** `session`: conversations with agents. */
export function defineSessionCommands(program: Command, context: CommandContext): void {
  const session = program
    .command("session")
    .description("conversations with agents in VMs")
    .enablePositionalOptions();
  defineStart(session, context);
  defineTurns(session, context);
  defineResume(session, context);
  defineFork(session, context);
  defineRecords(session, context);
}

/** An option that may be given more than once. */
export function many(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

/** What the agent is, may do and may cost. */
export function addAgentOptions(command: Command): Command {
  return command
    .option("--provider <name>", "where the model is (default: the runtime's)")
    .option("--base-url <url>", "another address of the provider")
    .option("--key-variable <name>", "the environment variable that has the key")
    .option("--model <name>", "the model")
    .option("--system <text>", "added to the agent's system prompt")
    .option("--cwd <path>", "where the agent works (default: /workspace)", parseGuestPath)
    .option("--allow <tool>", "a tool that may be used", many)
    .option("--ask <tool>", "a tool that is asked about", many)
    .option("--deny <tool>", "a tool that may not be used", many)
    .option("--budget-usd <amount>", "stop when this much is spent", parsePositive)
    .option("--budget-turns <number>", "stop after this many calls of the model", parseCount);
}

function defineStart(session: Command, context: CommandContext): void {
  const start = session
    .command("start")
    .description("open a session, and watch its first turn")
    .argument("[prompt]", "what the agent is to do", parsePrompt)
    .requiredOption(
      "--runtime <name>",
      "the kind of agent: anthropic, claude-code, codex and others",
    )
    .option("--vm <name>", "the VM to work in, made where there is none", parseName)
    .option("--copy <dir>", "copy this directory to /workspace first")
    .option("--id <id>", "the session's id (default: a new one)");
  addAgentOptions(start)
    .addHelpText("after", START_HELP)
    .action((prompt: string | undefined, options: StartOptions, self: Command) => {
      if (prompt === undefined && options.vm === undefined)
        self.error("error: without a prompt the session needs --vm, else it ends at once");
      return context.run(self, async (globals) =>
        (await import("../commands/session/start.ts")).start(context.io, globals, prompt, options),
      );
    });
}

function defineTurns(session: Command, context: CommandContext): void {
  session
    .command("prompt")
    .description("say something to an open session, and watch the turn")
    .argument("<session>", SESSION)
    .argument("<prompt>", "what to say", parsePrompt)
    .action((id: string, content: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/prompt.ts")).prompt(context.io, globals, id, content),
      ),
    );
  session
    .command("attach")
    .description("watch a session, and answer what it asks")
    .argument("<session>", SESSION)
    .option("--all", "from the beginning of the transcript")
    .action((id: string, options: AttachOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/attach.ts")).attach(context.io, globals, id, options),
      ),
    );
}

function defineResume(session: Command, context: CommandContext): void {
  const resume = session
    .command("resume")
    .description("open a closed session again")
    .argument("<session>", SESSION)
    .argument("[prompt]", "what to say", parsePrompt)
    .option("--vm <name>", "the VM to go on in (default: its own)", parseVm);
  addAgentOptions(resume)
    .addHelpText("after", RESUME_HELP)
    .action((id: string, content: string | undefined, options: ResumeOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/resume.ts")).resume(
          context.io,
          globals,
          id,
          content,
          options,
        ),
      ),
    );
}

function defineFork(session: Command, context: CommandContext): void {
  session
    .command("fork")
    .description("a second session that goes on from an open one, in a new VM")
    .argument("<session>", SESSION)
    .requiredOption("--vm <name>", "the new VM's name", parseName)
    .addHelpText("after", FORK_HELP)
    .action((id: string, options: ForkOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/fork.ts")).fork(context.io, globals, id, options),
      ),
    );
}

function defineRecords(session: Command, context: CommandContext): void {
  session
    .command("cancel")
    .description("end the running turn")
    .argument("<session>", SESSION)
    .action((id: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/control.ts")).cancel(context.io, globals, id),
      ),
    );
  defineControls(session, context);
  session
    .command("list")
    .description("your sessions, closed ones too")
    .action((_options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/list.ts")).list(context.io, globals),
      ),
    );
  session
    .command("show")
    .description("what a session is, used and waits for")
    .argument("<session>", SESSION)
    .action((id: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/show.ts")).show(context.io, globals, id),
      ),
    );
  session
    .command("delete")
    .description("end a session and forget it")
    .argument("<session>", SESSION)
    .action((id: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/control.ts")).remove(context.io, globals, id),
      ),
    );
}

/** What not every runtime can. */
function defineControls(session: Command, context: CommandContext): void {
  session
    .command("steer")
    .description("give the running turn more to think about")
    .argument("<session>", SESSION)
    .argument("<text>", "what to say")
    .action((id: string, text: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/control.ts")).steer(context.io, globals, id, text),
      ),
    );
  session
    .command("model")
    .description("have the agent use another model")
    .argument("<session>", SESSION)
    .argument("<model>", "the model's name")
    .action((id: string, model: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/control.ts")).setModel(context.io, globals, id, model),
      ),
    );
  session
    .command("compact")
    .description("have the agent sum up its conversation")
    .argument("<session>", SESSION)
    .action((id: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/session/control.ts")).compact(context.io, globals, id),
      ),
    );
}
