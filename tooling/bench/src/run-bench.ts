import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";

import { machineFacts } from "./machine.ts";
import { renderRow } from "./report.ts";
import type { RowResult } from "./row.ts";
import { rows } from "./rows.ts";

/** Runs rows one after another on a pool of its own, prints each, and writes all as JSON. */
export async function runBench(options: {
  readonly rows: readonly string[];
  readonly count: number;
  readonly json: string;
}): Promise<void> {
  const { count, json } = options;
  const directory = mkdtempSync(join(tmpdir(), "aos-bench-"));
  process.env["AGENTOS_RUNTIME_DIR"] = join(directory, "run");
  process.env["AGENTOS_STATE_DIR"] = join(directory, "state");
  const machine = machineFacts();
  process.stdout.write(
    `${machine.commit}: node ${machine.node}, Linux ${machine.kernel}, ${machine.cores} cores, ${machine.cgroups}, load ${machine.loadAverage?.toFixed(1)}, as ${machine.user}\n\n`,
  );
  const results: RowResult[] = [];
  try {
    for (const row of rows.filter(({ name }) => options.rows.includes(name))) {
      // oxlint-disable-next-line no-await-in-loop -- Rows beside one another would measure each other.
      const result = await row.run({ count });
      results.push(result);
      process.stdout.write(`${renderRow(result)}\n`);
    }
    const measured = { measuredAt: new Date().toISOString(), machine, results };
    writeFileSync(json, `${JSON.stringify(measured, undefined, 2)}\n`);
  } finally {
    const sidecar = await AgentOs.getSharedSidecar();
    await sidecar.shutdown();
    await sidecar.dispose();
    rmSync(directory, { recursive: true, force: true });
  }
}
