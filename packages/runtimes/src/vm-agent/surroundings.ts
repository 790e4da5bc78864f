import type { AgentEndpoint, RuntimeHost, RuntimeRequest, ToolDoor } from "@agentos/core";

import { modelEnvironment } from "./model-environment.ts";

/** What a session's program has around it. It ends with the session. */
export interface Surroundings {
  /** Beside the VM's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Undefined where the session names no provider. */
  readonly endpoint: AgentEndpoint | undefined;
  /** Undefined where the session has no tools for it. */
  readonly door: ToolDoor | undefined;
}

/** Opens what the session's specification asks for, and nothing else. Rejects as `RuntimeHost.endpoint` and `toolDoor` do. */
export async function openSurroundings(
  { spec, tools }: Pick<RuntimeRequest, "spec" | "tools">,
  host: RuntimeHost,
  options: { signal: AbortSignal },
): Promise<Surroundings> {
  const { provider } = spec;
  const endpoint = provider === undefined ? undefined : await host.endpoint(options);
  const door = tools.length === 0 ? undefined : await host.toolDoor(options);
  const model = endpoint === undefined ? {} : modelEnvironment(endpoint);
  return { env: { ...model, ...door?.env, ...spec.env }, endpoint, door };
}
