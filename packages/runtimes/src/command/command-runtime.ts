import type { AgentRuntime, RuntimeHost, RuntimeRequest, RuntimeSession } from "@agentos/core";
import { DEFAULTS, type SessionSpec } from "@agentos/protocol";

import { endAgentTree } from "../agent-process/agent-tree.ts";
import { checkCounted, commandOf, refuseOptions } from "../vm-agent/check-given.ts";
import { openSurroundings } from "../vm-agent/surroundings.ts";
import { assertCommand } from "./assert-command.ts";
import { COMMAND_CAPABILITIES } from "./command-capabilities.ts";
import { CommandSession } from "./command-session.ts";

/** The agent is a program that is run once for each prompt, and whose output is the reply. */
export class CommandRuntime implements AgentRuntime {
  readonly name = "command";
  readonly capabilities = COMMAND_CAPABILITIES;

  async check(spec: SessionSpec): Promise<void> {
    commandOf(spec);
    refuseOptions(spec, ["systemPrompt", "skills", "model"], "arguments of its command");
    refuseOptions(spec, ["initialHistory", "thinking", "maxOutputTokens"]);
    checkCounted(spec);
  }

  async open(
    request: RuntimeRequest,
    host: RuntimeHost,
    { signal }: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const { spec, sessionId, cwd } = request;
    const { vm } = host;
    const path = spec.env?.["PATH"] ?? vm.environment["PATH"] ?? "/usr/bin:/bin";
    await assertCommand(vm, commandOf(spec), { cwd, path });
    const withinMs = spec.timeouts?.shutdownMs ?? DEFAULTS.agentShutdownMs;
    // Of an earlier life of the sidecar, which nobody follows any more.
    await endAgentTree(vm.handle(), sessionId, { withinMs });
    const surroundings = await openSurroundings(request, host, { signal });
    return new CommandSession({ request, host, surroundings });
  }
}
