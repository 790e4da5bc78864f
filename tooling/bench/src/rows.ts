import type { Row } from "./row.ts";
import { agentRow } from "./rows/agent.ts";
import { controlRow } from "./rows/control.ts";
import { createRow } from "./rows/create.ts";
import { execRow } from "./rows/exec.ts";
import { forkRow } from "./rows/fork.ts";
import { killRow } from "./rows/kill.ts";
import { manyRow } from "./rows/many.ts";
import { memoryRow } from "./rows/memory.ts";
import { messageRow } from "./rows/message.ts";
import { neighbourRow } from "./rows/neighbour.ts";
import { outputRow } from "./rows/output.ts";
import { sessionCancelRow } from "./rows/session-cancel.ts";
import { sessionStreamRow } from "./rows/session-stream.ts";
import { sidecarStartRow } from "./rows/sidecar-start.ts";
import { smallFilesRow } from "./rows/small-files.ts";
import { treesRow } from "./rows/trees.ts";
import { virtualManyRow, virtualRow } from "./rows/virtual.ts";
import { virtualNeighboursRow } from "./rows/virtual-neighbours.ts";
import { terminalRow } from "./rows/terminal.ts";

/** The rows that can be measured by now, in the order of the report. */
export const rows: readonly Row[] = [
  execRow,
  createRow,
  forkRow,
  manyRow,
  memoryRow,
  outputRow,
  smallFilesRow,
  treesRow,
  controlRow,
  neighbourRow,
  killRow,
  sidecarStartRow,
  virtualRow,
  virtualManyRow,
  virtualNeighboursRow,
  terminalRow,
  sessionStreamRow,
  sessionCancelRow,
  messageRow,
  agentRow,
];
