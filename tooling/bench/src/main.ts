import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { AgentOs } from "@agentos/client";

import { machineFacts } from "./machine.ts";
import { renderRow } from "./report.ts";
import type { RowResult } from "./row.ts";
import { rows } from "./rows.ts";

const { values } = parseArgs({
  options: {
    /** Where the JSON goes. */
    json: { type: "string", default: "bench.json" },
    /** Samples per variant. */
    count: { type: "string", default: "200" },
    /** Only this row; repeat it for more. Default: all. */
    row: { type: "string", multiple: true, default: [] },
  },
});

const known = rows.map(({ name }) => name);
const unknown = values.row.filter((name) => !known.includes(name));
if (unknown.length > 0)
  throw new Error(`no row ${unknown.join(", ")}; there are: ${known.join(", ")}`);

const directory = mkdtempSync(join(tmpdir(), "aos-bench-"));
process.env["AGENTOS_RUNTIME_DIR"] = join(directory, "run");
process.env["AGENTOS_STATE_DIR"] = join(directory, "state");

const machine = machineFacts();
process.stdout.write(
  `${machine.commit}: node ${machine.node}, Linux ${machine.kernel}, ${machine.cores} cores, ${machine.cgroups}, load ${machine.loadAverage?.toFixed(1)}, as ${machine.user}\n\n`,
);

const results: RowResult[] = [];
for (const row of rows) {
  if (values.row.length > 0 && !values.row.includes(row.name)) continue;
  const result = await row.run({ count: Number(values.count) });
  results.push(result);
  process.stdout.write(`${renderRow(result)}\n`);
}
writeFileSync(
  values.json,
  `${JSON.stringify({ measuredAt: new Date().toISOString(), machine, results }, undefined, 2)}\n`,
);

const sidecar = await AgentOs.getSharedSidecar();
await sidecar.shutdown();
await sidecar.dispose();
rmSync(directory, { recursive: true, force: true });
