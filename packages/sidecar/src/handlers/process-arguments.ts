import { AgentOsError, DEFAULTS, type ProcessStart } from "@agentos/protocol";

/** The longest single argument or variable that the kernel takes, its NUL included. */
const MAX_STRING_BYTES = 128 * 1024;

/** Throws `ARGUMENTS_TOO_LONG` where argv and env together, or one string of them, are longer than a process can have. */
export function assertArguments({ argv, env = {} }: Pick<ProcessStart, "argv" | "env">): void {
  const strings = [...argv, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  const sizes = strings.map((text) => Buffer.byteLength(text) + 1);
  for (const bytes of sizes)
    assertWithin(bytes, MAX_STRING_BYTES, "one string of argv and env has");
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  assertWithin(total, DEFAULTS.maxArgumentBytes, "argv and env have");
}

function assertWithin(actual: number, limit: number, what: string): void {
  if (actual <= limit) return;
  const message = `${what} ${actual} bytes, at most ${limit} are taken`;
  throw new AgentOsError("ARGUMENTS_TOO_LONG", message, { limit, actual });
}
