import type { MethodParams } from "@agentos/protocol";

/** What a caller says of a process to start. */
export interface ProcessChoices {
  cwd?: string | undefined;
  env?: Record<string, string> | undefined;
  timeoutMs?: number | undefined;
}

type Params = MethodParams<"process.exec">;

/** The request for a process: what was not said is left out, for the sidecar's defaults. `received`: it is asked again, and this much of its output came. */
export function processRequest(
  identity: Pick<Params, "vmId" | "fence" | "processId" | "argv" | "stream">,
  { cwd, env, timeoutMs }: ProcessChoices,
  pipesStdin: boolean,
  received?: Params["received"],
): Params {
  return {
    ...identity,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(pipesStdin ? { stdin: "pipe" } : {}),
    ...(received === undefined ? {} : { received }),
  };
}
