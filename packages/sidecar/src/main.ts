#!/usr/bin/env node
const OLDEST_NODE = [22, 18] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) {
  // Not before the check: an older Node fails on the syntax of what this imports.
  const { run } = await import("./run.ts");
  await run();
} else {
  process.stderr.write(
    `agentos-sidecar needs Node ${OLDEST_NODE.join(".")} or newer, this is ${process.versions.node}\n`,
  );
  process.exitCode = 1;
}
