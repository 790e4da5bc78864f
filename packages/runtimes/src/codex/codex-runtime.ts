import type {
  AgentRuntime,
  AgentTrace,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
} from "@agentos/core";
import type { SessionSpec } from "@agentos/protocol";

import { checkProvider } from "../agent-program/check-provider.ts";
import { findProgram, pathOf } from "../agent-program/find-program.ts";
import { openConversation } from "../agent-program/open-conversation.ts";
import { programOf } from "../agent-program/program-of.ts";
import { refuseOptions } from "../vm-agent/check-given.ts";
import { CODEX_CAPABILITIES } from "./codex-capabilities.ts";
import { codexArguments, codexEnvironment, codexHome } from "./codex-command.ts";
import { CodexSession } from "./codex-session.ts";

const AGENT = "codex";
/** The app server's messages are the same in these. */
const SUPPORTED = { from: "0.160.0", below: "0.200.0" };

/** Codex, as it comes from npm, in a VM: driven by its app server, its model behind the gateway. */
export class CodexRuntime implements AgentRuntime {
  readonly name = AGENT;
  readonly capabilities = CODEX_CAPABILITIES;

  async check(spec: SessionSpec): Promise<void> {
    checkProvider(spec, ["openai"]);
    refuseOptions(spec, ["initialHistory", "maxOutputTokens"]);
  }

  async open(
    request: RuntimeRequest,
    host: RuntimeHost,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const { spec } = request;
    const { vm } = host;
    const endpoint = await host.endpoint(options);
    const program = await findProgram({ agent: AGENT, spec, vm, supported: SUPPORTED }, options);
    const home = codexHome(vm);
    const argv = [...program.argv, ...codexArguments(endpoint)];
    const env = {
      PATH: pathOf(program, vm.environment),
      ...codexEnvironment(spec, endpoint, home),
    };
    return await openConversation(host.state, request.agentSessionId, async (agentSessionId) => {
      return await CodexSession.open(
        {
          request: { ...request, agentSessionId },
          host,
          endpoint,
          home,
          program: programOf(AGENT, request, host, { argv, env }),
        },
        options,
      );
    });
  }

  async adopt(
    request: RuntimeRequest,
    host: RuntimeHost,
    trace: AgentTrace,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const endpoint = await host.endpoint(options);
    const program = programOf(AGENT, request, host);
    const home = codexHome(host.vm);
    return await CodexSession.adopt({ request, host, endpoint, home, program }, trace);
  }
}
