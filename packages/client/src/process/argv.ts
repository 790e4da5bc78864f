import { AgentOsError } from "@agentos/protocol";

/** The program and its arguments: a string goes to the shell, an array to no one. */
export function argvOf(command: string | readonly string[]): string[] {
  if (typeof command === "string") return ["/bin/sh", "-c", command];
  if (Array.isArray(command) && command.length > 0) return [...command];
  const expected = "a string for the shell, or an array with a program and its arguments";
  const actual = Array.isArray(command) ? "an empty array" : typeof command;
  throw new AgentOsError("INVALID_ARGUMENT", `command: expected ${expected}, got ${actual}`, {
    argument: "command",
    expected,
    actual,
  });
}
