import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { ResumeOptions } from "../commands/workflow/resume.ts";
import type { RunOptions } from "../commands/workflow/run.ts";
import type { ShowOptions } from "../commands/workflow/show.ts";
import type { TemplateOptions } from "../commands/workflow/template.ts";
import { variableParser } from "../options/parse-environment.ts";
import { parseGuestPath } from "../options/parse-guest-path.ts";
import { parseName } from "../options/parse-name.ts";
import { parseVm } from "../options/parse-vm.ts";

const RUN_HELP = `
FILE is YAML or JSON; with --template it is the name of one that comes with AgentOS. Custom steps
are read from .agentos/steps.yaml or .relay/steps.yaml beside it. Without --vm the VM ends with
this command; with it the run goes on when you leave, and a killed one can be resumed.

  agentos workflow run build.yaml --copy . --var branch=main
  agentos workflow run build.yaml --dry-run`;

const TEMPLATES = "a folder of your own (default: .agentos/templates and .relay/templates)";
const RUN = "a run's id, or the beginning of one";

/** `workflow`: steps of agents and commands. */
export function defineWorkflowCommands(program: Command, context: CommandContext): void {
  const workflow = program
    .command("workflow")
    .description("steps of agents and commands, in order")
    .enablePositionalOptions();
  defineRun(workflow, context);
  defineRecords(workflow, context);
  defineControl(workflow, context);
}

function defineRun(workflow: Command, context: CommandContext): void {
  workflow
    .command("run")
    .description("run a workflow, and watch it")
    .argument("<file>", "its file, or - for standard input")
    .option("--dry-run", "say what it would do, and do nothing")
    .option("--workflow <name>", "which of the file's workflows (default: the first)")
    .option("--var <name=value>", "what {{name}} stands for", variableParser)
    .option("--template", "FILE is the name of a template")
    .option("--templates <dir>", TEMPLATES)
    .option("--steps <file>", "the file of custom steps")
    .option("--vm <name>", "the VM to work in, made where there is none", parseName)
    .option("--copy <dir>", "copy this directory to /workspace first")
    .option("--cwd <path>", "where relative paths begin (default: /workspace)", parseGuestPath)
    .option("--base-url <url>", "another address of the agents' providers")
    .option("--id <id>", "the run's id (default: a new one)")
    .addHelpText("after", RUN_HELP)
    .action((file: string, options: RunOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/workflow/run.ts")).run(context.io, globals, file, options),
      ),
    );
  workflow
    .command("resume")
    .description("go on with a run that was paused, broke off or failed, and watch it")
    .argument("<run>", RUN)
    .option("--vm <name>", "the VM to go on in (default: its own)", parseVm)
    .action((id: string, options: ResumeOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/workflow/resume.ts")).resume(context.io, globals, id, options),
      ),
    );
}

function defineRecords(workflow: Command, context: CommandContext): void {
  workflow
    .command("list")
    .description("your runs, the last one first")
    .action((_options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/workflow/list.ts")).list(context.io, globals),
      ),
    );
  workflow
    .command("show")
    .description("a run and its steps, or all of one step's output")
    .argument("<run>", RUN)
    .option("--step <name>", "this step's whole output")
    .action((id: string, options: ShowOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/workflow/show.ts")).show(context.io, globals, id, options),
      ),
    );
  workflow
    .command("template")
    .description("the templates, or one's file")
    .argument("[name]", "a template's name")
    .option("--templates <dir>", TEMPLATES)
    .action((name: string | undefined, options: TemplateOptions, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/workflow/template.ts")).template(
          context.io,
          globals,
          name,
          options,
        ),
      ),
    );
}

function defineControl(workflow: Command, context: CommandContext): void {
  workflow
    .command("pause")
    .description("start no further step of a run")
    .argument("<run>", RUN)
    .action((id: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/workflow/control.ts")).pause(context.io, globals, id),
      ),
    );
  workflow
    .command("abort")
    .description("end a run, its agents and commands too")
    .argument("<run>", RUN)
    .action((id: string, _options: object, self: Command) =>
      context.run(self, async (globals) =>
        (await import("../commands/workflow/control.ts")).abort(context.io, globals, id),
      ),
    );
}
