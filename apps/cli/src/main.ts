#!/usr/bin/env node
import { basename } from "node:path";

import { isNodeSupported, OLDEST_NODE } from "./node-version.ts";
import { flush } from "./output/write.ts";

// Whoever writes hears of it; without a listener Node would end this process in the middle.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

const code = isNodeSupported(process.versions.node) ? await run() : refuse();
await Promise.all([flush(process.stdout), flush(process.stderr)]);
// A connection that is still closing must not keep the shell waiting.
process.exit(code);

async function run(): Promise<number> {
  // An older Node can't even load it.
  const { runCommandLine } = await import("./program.ts");
  const [, path = "", ...args] = process.argv;
  // A link with the name of another relay's broker is what that one's clients look for.
  const isBroker = basename(path) === "agent-relay-broker";
  return await runCommandLine(isBroker ? ["relay-broker", ...args] : args, {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    directory: process.cwd(),
    signals: process,
  });
}

function refuse(): number {
  const { node } = process.versions;
  process.stderr.write(`agentos: expected Node ${OLDEST_NODE} or newer, this is ${node}\n`);
  process.stderr.write(
    "         Put a newer node first in PATH; in a clone: npx node apps/cli/dist/bin/agentos.js\n",
  );
  return 125;
}
