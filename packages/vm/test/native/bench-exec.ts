// `node packages/vm/test/native/bench-exec.ts [COUNT]`: an exec of /bin/true by the agent against spawn, shuffled.
import { spawn } from "node:child_process";

import { startAgent } from "./agent-harness.ts";
import { runCommand } from "./agent-run.ts";

const count = Number(process.argv[2] ?? 400);

function spawnTrue(): Promise<unknown> {
  return new Promise((resolve) => {
    spawn("/bin/true").on("close", resolve);
  });
}

await using agent = await startAgent({ fast: true });
const ways = {
  "child_process.spawn": spawnTrue,
  "agent exec": () => runCommand(agent.link, ["/bin/true"]),
  "agent ping": () => agent.link.ping(),
};
const times = new Map(Object.keys(ways).map((name) => [name, new Array<number>()]));
const order = Object.entries(ways)
  .flatMap((way) => Array.from({ length: count }, () => way))
  .map((way) => ({ way, key: Math.random() }))
  .toSorted((a, b) => a.key - b.key);
for (const [
  i,
  {
    way: [name, run],
  },
] of order.entries()) {
  const before = performance.now();
  await run();
  if (i > 20) times.get(name)?.push(performance.now() - before);
}
for (const [name, list] of times) {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(2);
  console.log(`${name.padEnd(20)} p50 ${at(0.5)}  p95 ${at(0.95)}  min ${at(0)} ms`);
}
