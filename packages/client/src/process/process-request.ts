import type { MethodParams } from "@agentos/protocol";

/** What a caller says of a process to start. */
export interface ProcessChoices {
  cwd?: string | undefined;
  env?: Record<string, string> | undefined;
  timeoutMs?: number | undefined;
}

type Params = MethodParams<"process.exec">;

/** The request for a process: what was not said is left out, for the sidecar's defaults. */
export function processRequest(
  identity: Pick<Params, "vmId" | "fence" | "processId" | "argv" | "stream">,
  { cwd, env, timeoutMs }: ProcessChoices,
  pipesStdin: boolean,
): Params {
  return {
    ...identity,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(pipesStdin ? { stdin: "pipe" } : {}),
  };
}
