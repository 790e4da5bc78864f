import { AgentOsError } from "@agentos/protocol";

/** Older ones lack what the client is made of. */
const OLDEST = [22, 18] as const;

const { node } = process.versions;
const [major = 0, minor = 0] = node.split(".").map(Number);

// What is imported after this would fail in words that say nothing.
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  const expected = OLDEST.join(".");
  throw new AgentOsError(
    "UNSUPPORTED_NODE",
    `@agentos/client needs Node ${expected} or newer, this is ${node}`,
    { expected, actual: node },
  );
}
