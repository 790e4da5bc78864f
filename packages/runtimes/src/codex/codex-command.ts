import { posix } from "node:path";

import type { AgentEndpoint, SessionVm } from "@agentos/core";
import type { JsonObject, SessionSpec, ToolInfo } from "@agentos/protocol";

import { wordsOf } from "../vm-agent/system-words.ts";

const KEY_VARIABLE = "AGENTOS_MODEL_KEY";
const PROVIDER = "agentos";

/** What Codex keeps in a VM: beside the one that a person may use there. */
export function codexHome(vm: SessionVm): string {
  return posix.join(vm.environment["HOME"] ?? "/root", ".agentos", "codex");
}

/** The command line after the program: where its model is, and that it talks to nothing else. */
export function codexArguments(endpoint: AgentEndpoint): string[] {
  const provider = {
    name: '"AgentOS"',
    base_url: JSON.stringify(`${endpoint.baseUrl}/v1`),
    env_key: JSON.stringify(KEY_VARIABLE),
    wire_api: '"responses"',
    // Tries are the caller's to count.
    request_max_retries: "0",
    stream_max_retries: "0",
  };
  const settings = {
    model_provider: JSON.stringify(PROVIDER),
    check_for_update_on_startup: "false",
    "analytics.enabled": "false",
    "feedback.enabled": "false",
    ...Object.fromEntries(
      Object.entries(provider).map(([name, value]) => [
        `model_providers.${PROVIDER}.${name}`,
        value,
      ]),
    ),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return ["app-server", "--disable", "plugins", ...options];
}

export function codexEnvironment(
  { env = {} }: SessionSpec,
  { token }: AgentEndpoint,
  home: string,
): Record<string, string> {
  return { ...env, CODEX_HOME: home, [KEY_VARIABLE]: token };
}

export interface ThreadRequest {
  readonly spec: SessionSpec;
  readonly cwd: string;
  readonly announcements: readonly string[];
}

/** What a thread is begun or gone on with. The VM is the sandbox: Codex's own has no user namespaces to make one of. */
export function threadParams({ spec, cwd, announcements }: ThreadRequest): JsonObject {
  const { replaced, appended } = wordsOf(spec.systemPrompt);
  const words = [...appended, ...announcements].join("\n\n");
  return {
    cwd,
    approvalPolicy: "never",
    sandbox: "danger-full-access",
    ...(spec.model === undefined ? {} : { model: spec.model }),
    ...(replaced === undefined ? {} : { baseInstructions: replaced }),
    ...(words === "" ? {} : { developerInstructions: words }),
  };
}

/** The session's tools, as Codex offers them to its model beside its own. */
export function dynamicTools(tools: readonly ToolInfo[]): JsonObject[] {
  return tools.map((tool) => ({
    type: "function",
    name: wireName(tool),
    description: tool.description,
    inputSchema: tool.inputSchema,
  }));
}

export function wireName({ name, server }: ToolInfo): string {
  return server === undefined ? name : `${server}__${name}`;
}
