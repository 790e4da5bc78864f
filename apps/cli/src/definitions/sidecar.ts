import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import type { DemoModelOptions } from "../demo/demo-model.ts";
import type { PsOptions } from "../commands/ps.ts";
import type { UpOptions } from "../commands/up.ts";
import { sizeParser } from "../options/parse-size.ts";
import { parseVm } from "../options/parse-vm.ts";

const PS_HELP = `
--use asks each VM, which thaws a frozen one for that moment. 12M/4.0G is use and limit;
a limit in brackets is not held hard on this machine, - is unknown.`;

const TRANSCRIPTS = "how much the transcripts of its sessions may take (default: 512m)";

/** `demo`, `doctor`, `ps`, `rm`, `up` and `down`. */
export function defineSidecarCommands(program: Command, context: CommandContext): void {
  const { io } = context;
  program
    .command("demo")
    .description("a project's failing test, found and fixed by an agent in a VM")
    .option("--agent <name>", "a coding agent: claude-code, codex, gemini-cli, opencode or pi")
    .option("--provider <name>", "a real model: anthropic, openai or gemini, with your key")
    .option("--base-url <url>", "the address of a model's server")
    .option("--key-variable <name>", "the environment variable that has the key")
    .option("--model <name>", "the model (default: the provider's)")
    .action((options: DemoModelOptions, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/demo.ts")).demo(io, globals, options),
      ),
    );
  program
    .command("doctor")
    .description("what works on this machine, and what to do about the rest")
    .action((_options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/doctor.ts")).doctor(io, globals),
      ),
    );
  definePs(program, context);
  defineRm(program, context);
  defineLifeCommands(program, context);
}

function definePs(program: Command, context: CommandContext): void {
  const { io } = context;
  program
    .command("ps")
    .description("the VMs of the pool, or every process of one VM")
    .argument("[vm]", "a VM's name or id", parseVm)
    .option("--use", "with what each VM uses of its limits")
    .addHelpText("after", PS_HELP)
    .action((vm: string | undefined, options: PsOptions, command: Command) => {
      if (vm !== undefined && options.use === true) {
        command.error("error: --use is for the list of VMs, not for one VM");
      }
      return context.run(command, async (globals) =>
        (await import("../commands/ps.ts")).ps(io, globals, vm, options),
      );
    });
}

function defineRm(program: Command, context: CommandContext): void {
  program
    .command("rm")
    .description("end a VM for good, with its files and whoever uses it")
    .argument("<vm>", "a VM's name or id", parseVm)
    .action((vm: string, _options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/rm.ts")).rm(context.io, globals, vm),
      ),
    );
}

function defineLifeCommands(program: Command, context: CommandContext): void {
  const { io } = context;
  program
    .command("up")
    .description("start the pool's sidecar and keep it running")
    .option("--transcripts <size>", TRANSCRIPTS, sizeParser("1m"))
    .action((options: UpOptions, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/up.ts")).up(io, globals, options),
      ),
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
