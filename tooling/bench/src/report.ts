import type { RowResult } from "./row.ts";

const NAME_WIDTH = 18;

/** One row as text: each variant's figures, then each goal with what was measured. */
export function renderRow({ row, unit, variants, goals }: RowResult): string {
  const lines = Object.entries(variants).map(
    ([name, { p50, p95, p99, min, count }]) =>
      `  ${name.padEnd(NAME_WIDTH)} p50 ${figure(p50)}  p95 ${figure(p95)}  p99 ${figure(p99)}  min ${figure(min)}  n ${count}`,
  );
  const verdicts = goals.map(
    ({ says, figure: value, met }) => `  ${met ? "met   " : "MISSED"} ${says}: ${value.toFixed(2)}`,
  );
  return [`${row} (${unit})`, ...lines, ...verdicts, ""].join("\n");
}

function figure(value: number): string {
  return value.toFixed(value >= 100 ? 0 : 2).padStart(8);
}
