export { renderRow } from "./report.ts";
export type { Goal, Row, RowOptions, RowResult } from "./row.ts";
export { rows } from "./rows.ts";
export { type Summary, summarise } from "./sample.ts";
export { type Measured, measured, shuffledRun, timed, type Variant } from "./shuffled-run.ts";
