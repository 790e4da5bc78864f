import {
  AgentOsError,
  parseArgument,
  type SessionRequest,
  SessionSpec,
  withoutAlias,
} from "@agentos/protocol";

/** The specification of a session that is to be new. Throws `INVALID_ARGUMENT` where it names no runtime. */
export function newSpec(asked: SessionRequest): SessionSpec {
  return withoutAlias(parseArgument(SessionSpec, asked, "session"));
}

/**
 * What a stored session goes on as: what it was, but for what is given now. A key stays with its provider
 * and address, a model with its provider. Throws `INVALID_ARGUMENT` for another runtime.
 */
export function resumedSpec(stored: SessionSpec, asked: SessionRequest): SessionSpec {
  const { resume: _resume, ...before } = stored;
  const now = asked.runtime === undefined ? asked : newSpec(asked);
  if (now.runtime !== undefined && now.runtime !== stored.runtime)
    throw otherRuntime(stored.runtime, now.runtime);
  const provider = resumedProvider(stored.provider, now.provider);
  const isOther = provider?.name !== stored.provider?.name;
  const { model, ...unmodelled } = before;
  return {
    ...unmodelled,
    ...(isOther || model === undefined ? {} : { model }),
    ...now,
    ...(provider === undefined ? {} : { provider }),
    runtime: stored.runtime,
  };
}

type Provider = SessionSpec["provider"];

function resumedProvider(stored: Provider, given: Provider): Provider {
  if (stored === undefined || given === undefined) return given ?? stored;
  const isSame = given.name === stored.name && (given.baseUrl ?? stored.baseUrl) === stored.baseUrl;
  // A key is shown to nobody else than whom it was given for.
  return isSame ? { ...stored, ...given } : given;
}

function otherRuntime(expected: string, actual: string): AgentOsError<"INVALID_ARGUMENT"> {
  const argument = "session.runtime";
  const message = `${argument}: expected ${expected}, as the session has it, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
