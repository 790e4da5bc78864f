import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { AgentOs } from "@agentos/client";

import { renderRow } from "./report.ts";
import type { RowResult } from "./row.ts";
import { rows } from "./rows.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Where the JSON goes. */
    json: { type: "string", default: "bench.json" },
    /** Samples per variant. */
    count: { type: "string", default: "200" },
  },
});

const directory = mkdtempSync(join(tmpdir(), "aos-bench-"));
process.env["AGENTOS_RUNTIME_DIR"] = join(directory, "run");
process.env["AGENTOS_STATE_DIR"] = join(directory, "state");

const machine = {
  node: process.version,
  kernel: release(),
  cores: cpus().length,
  loadAverage: loadavg()[0],
  user: process.getuid?.() === 0 ? "root" : "ordinary",
};
process.stdout.write(
  `node ${machine.node}, Linux ${machine.kernel}, ${machine.cores} cores, load ${machine.loadAverage?.toFixed(1)}, as ${machine.user}\n\n`,
);

const results: RowResult[] = [];
for (const row of rows) {
  if (positionals.length > 0 && !positionals.includes(row.name)) continue;
  const result = await row.run({ count: Number(values.count) });
  results.push(result);
  process.stdout.write(`${renderRow(result)}\n`);
}
writeFileSync(values.json, `${JSON.stringify({ machine, results }, undefined, 2)}\n`);

const sidecar = await AgentOs.getSharedSidecar();
await sidecar.shutdown();
await sidecar.dispose();
rmSync(directory, { recursive: true, force: true });
