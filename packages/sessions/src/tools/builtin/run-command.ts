import { DEFAULTS } from "@agentos/protocol";
import * as z from "zod";

import { runProcess } from "../../vm/run-process.ts";
import type { ToolDeskRequest } from "../../tool-desk.ts";
import { builtinTool } from "../builtin-tool.ts";
import { failedOutput, textOutput, type Tool } from "../tool.ts";
import { absolutePath, PathInput } from "./absolute-path.ts";
import type { BackgroundCommands } from "./background-commands.ts";
import { CommandOutput } from "./command-output.ts";

/** run_command: a shell command in the VM, to its end or in the background. */
export function runCommand(context: ToolDeskRequest, background: BackgroundCommands): Tool {
  const { vm, cwd, clock, spec } = context;
  return builtinTool({
    name: "run_command",
    description:
      "Run a shell command. In the background it answers at once with an id for read_output and stop_command.",
    input: z.object({
      command: z.string().min(1),
      cwd: PathInput.optional(),
      timeout_ms: z
        .int()
        .min(1)
        .max(DEFAULTS.toolCommandMs * 6)
        .optional(),
      background: z.boolean().optional(),
    }),
    // A command can write to what the host mounted, whatever its directory.
    crossesBorder: vm.hostMounts.some(({ readOnly }) => !readOnly),
    paths: (input) => [{ path: absolutePath(cwd, input.cwd ?? "."), writes: true }],
    run: async (input, turn, { callId }) => {
      const request = {
        argv: ["/bin/sh", "-c", input.command],
        cwd: absolutePath(cwd, input.cwd ?? "."),
        env: spec.env ?? {},
      };
      if (input.background === true) return await background.start(request);
      const output = new CommandOutput((delta) => turn.output(callId, delta));
      const timeoutMs = input.timeout_ms ?? DEFAULTS.toolCommandMs;
      const { signal } = turn;
      const exit = await runProcess(vm, clock, {
        ...request,
        timeoutMs,
        signal,
        take: output.take,
      });
      const text = output.describe(exit);
      return exit.exitCode === 0 ? textOutput(text) : failedOutput(text);
    },
  });
}
