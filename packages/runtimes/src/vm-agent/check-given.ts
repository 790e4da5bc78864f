import { AgentOsError, type SessionSpec } from "@agentos/protocol";

type Option = keyof SessionSpec;

/** Throws `UNSUPPORTED` for the first of these options that the session has: it would have no effect. */
export function refuseOptions(
  spec: SessionSpec,
  options: readonly Option[],
  instead?: string,
): void {
  const given = options.find((option) => spec[option] !== undefined);
  if (given === undefined) return;
  const what = `${given} with the runtime ${spec.runtime}`;
  throw new AgentOsError(
    "UNSUPPORTED",
    `${what} can't be had${instead === undefined ? "" : `: ${instead}`}`,
    {
      what,
      ...(instead === undefined ? {} : { instead }),
    },
  );
}

/** The program of a runtime that has none of its own. Throws `INVALID_ARGUMENT`. */
export function commandOf(spec: SessionSpec): string {
  if (spec.command !== undefined) return spec.command;
  const argument = "session.command";
  const expected = `the program that the runtime ${spec.runtime} is to start`;
  const message = `${argument}: expected ${expected}, got nothing`;
  throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual: "nothing" });
}

/** Throws `UNSUPPORTED` for a budget that nobody could hold: calls that don't go through the gateway are not seen. */
export function checkCounted({ budget = {}, provider, runtime }: SessionSpec): void {
  const { turns, toolTurns, tokens, usd } = budget;
  if (provider !== undefined) return;
  if ([turns, toolTurns, tokens, usd].every((limit) => limit === undefined)) return;
  const what = `a budget of tokens, money or model calls with the runtime ${runtime}`;
  const instead = "provider, so that its model calls go through the gateway";
  throw new AgentOsError("UNSUPPORTED", `${what} needs ${instead}`, { what, instead });
}
