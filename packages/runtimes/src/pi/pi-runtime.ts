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
import { programOf } from "../agent-program/program-of.ts";
import { refuseOptions } from "../vm-agent/check-given.ts";
import { wordsOf } from "../vm-agent/system-words.ts";
import { writeVmFile } from "../vm/write-vm-file.ts";
import { PI_CAPABILITIES } from "./pi-capabilities.ts";
import {
  PI_APIS,
  piArguments,
  piEnvironment,
  piHome,
  type PiHome,
  piModel,
  piModels,
  piSettings,
} from "./pi-command.ts";
import { PI_EXTENSION, TOOLS_VARIABLE } from "./pi-extension.ts";
import { PiSession } from "./pi-session.ts";
import { wireName } from "./pi-tools.ts";

const AGENT = "pi";
/** Its lines are the same in these. */
const SUPPORTED = { from: "0.80.0", below: "0.100.0" };

/** Pi, as it comes from npm, in a VM: driven by its rpc mode, its model behind the gateway. */
export class PiRuntime implements AgentRuntime {
  readonly name = AGENT;
  readonly capabilities = PI_CAPABILITIES;

  async check(spec: SessionSpec): Promise<void> {
    checkProvider(spec, Object.keys(PI_APIS));
    piModel(spec);
    refuseOptions(spec, ["initialHistory"]);
  }

  async open(
    request: RuntimeRequest,
    host: RuntimeHost,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const { spec, sessionId, agentSessionId } = request;
    const { vm } = host;
    const endpoint = await host.endpoint(options);
    const found = await findProgram({ agent: AGENT, spec, vm, supported: SUPPORTED }, options);
    const home = piHome(vm, sessionId);
    await writeSettings(request, host, home, piModels(spec, endpoint));
    const words = piArguments(spec, home, spoken(request), agentSessionId);
    const env = {
      ...spec.env,
      PATH: pathOf(found, vm.environment),
      ...piEnvironment(home, endpoint),
      [TOOLS_VARIABLE]: home.tools,
    };
    const argv = [...found.argv, ...words];
    const program = programOf(AGENT, request, host, { argv, env });
    return await PiSession.open({ request, host, endpoint, program }, options);
  }

  async adopt(
    request: RuntimeRequest,
    host: RuntimeHost,
    trace: AgentTrace,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const endpoint = await host.endpoint(options);
    const program = programOf(AGENT, request, host);
    return await PiSession.adopt({ request, host, endpoint, program }, trace);
  }
}

function spoken({ spec, announcements }: RuntimeRequest): { replaced?: string; appended: string } {
  const { appended, ...words } = wordsOf(spec.systemPrompt);
  return { ...words, appended: [...appended, ...announcements].join("\n\n") };
}

async function writeSettings(
  { spec, tools }: RuntimeRequest,
  { vm }: RuntimeHost,
  home: PiHome,
  models: object,
): Promise<void> {
  const { files } = vm.handle();
  const offered = tools.map((tool) => ({
    name: wireName(tool),
    description: tool.description,
    inputSchema: tool.inputSchema,
  }));
  await files.mkdir(home.sessions, { mode: 0o700, recursive: true });
  await writeVmFile(files, `${home.folder}/models.json`, JSON.stringify(models));
  await writeVmFile(files, `${home.folder}/settings.json`, JSON.stringify(piSettings(spec)));
  await writeVmFile(files, home.extension, PI_EXTENSION);
  await writeVmFile(files, home.tools, JSON.stringify(offered));
}
