import { AgentOsError, type SessionSpec } from "@agentos/protocol";

/** Throws `INVALID_ARGUMENT` where an agent's model is of a provider that its program does not speak to. */
export function checkProvider(
  { provider, runtime }: Pick<SessionSpec, "provider" | "runtime">,
  known: readonly string[],
): void {
  if (provider !== undefined && known.includes(provider.name)) return;
  const argument = "session.provider.name";
  const expected = known.join(" or ");
  const actual = provider?.name ?? "nothing";
  const message = `${argument}: the runtime ${runtime} expects ${expected}, got ${actual}`;
  throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
