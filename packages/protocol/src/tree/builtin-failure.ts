import { getSystemErrorMap } from "node:util";

import { AgentOsError } from "../agent-os-error.ts";

/** What the VM's agent says of a failure: errno, step, and the path below the top. */
const FAILURE = /^(?<errno>\d{1,5}) (?<step>[a-z]{1,16}) (?<path>[^]*)$/;

/** Why something that the VM's agent does itself failed. */
export interface BuiltinFailure {
  /** `stream`: the stream itself was cut or wrong. */
  readonly step: string;
  readonly error: AgentOsError<"FILE_SYSTEM">;
}

/** Of what it said on stderr, and the path that it was asked for. Undefined where it said nothing of a failure. */
export function readBuiltinFailure(words: string, top: string): BuiltinFailure | undefined {
  const { errno, step, path } = FAILURE.exec(words)?.groups ?? {};
  if (errno === undefined || step === undefined || path === undefined) return undefined;
  const [name, message] = getSystemErrorMap().get(-Number(errno)) ?? [`E${errno}`, "unknown error"];
  const full = path === "" ? top : `${top === "/" ? "" : top}/${path}`;
  const details = { errno: name, syscall: step, path: full };
  const error = new AgentOsError("FILE_SYSTEM", `${name}: ${message}, ${step} '${full}'`, details);
  return { step, error };
}
