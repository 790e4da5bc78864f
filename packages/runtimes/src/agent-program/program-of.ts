import type { RuntimeHost, RuntimeRequest } from "@agentos/core";

import type { AgentProcessOptions } from "../agent-process/agent-process.ts";

/** A session's program in its VM. One that runs already is known without its line. */
export function programOf(
  agent: string,
  { spec, sessionId, cwd }: RuntimeRequest,
  { vm }: RuntimeHost,
  line: Pick<AgentProcessOptions, "argv" | "env"> = { argv: [], env: {} },
): AgentProcessOptions {
  return { agent, vm, sessionId, cwd, ...line, shutdownMs: spec.timeouts?.shutdownMs };
}
