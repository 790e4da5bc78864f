import { AgentOs, type VmInfo, type VmStats } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import { type LimitOptions, limitsOf } from "../guest/vm-limits.ts";
import type { Io } from "../io.ts";
import { formatDuration } from "../output/quantity.ts";
import { type Column, formatTable } from "../output/table.ts";
import { formatSize } from "../output/vm-use.ts";
import { write, writeJson } from "../output/write.ts";

/** What is to be changed. Sizes in bytes. */
export type LimitsOptions = Omit<LimitOptions, "requireLimits">;

interface Row {
  readonly limit: string;
  readonly value: string;
  readonly held: string;
  readonly used: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "LIMIT", value: ({ limit }) => limit },
  { title: "VALUE", value: ({ value }) => value, align: "right" },
  { title: "HELD", value: ({ held }) => held },
  { title: "USED", value: ({ used }) => used, align: "right" },
];

/** `agentos limits VM [--memory SIZE …]`. */
export async function limits(
  io: Io,
  globals: GlobalOptions,
  vm: string,
  options: LimitsOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  await using os = await AgentOs.attach(vm, { pool: globals.pool, signal });
  const changes = limitsOf(options);
  const info = changes === undefined ? await os.info() : await os.setLimits(changes);
  const use = await os.stats();
  if (globals.json === true) await writeJson(io.stdout, { vmId: os.id, limits: info.limits, use });
  else await write(io.stdout, formatTable(COLUMNS, rowsOf(info, use)));
  return EXIT_CODE.ok;
}

function rowsOf({ limits: states }: VmInfo, use: VmStats): Row[] {
  const used: Readonly<Record<string, string | undefined>> = {
    memoryBytes: use.memoryBytes === null ? undefined : formatSize(use.memoryBytes),
    pids: String(use.processes),
    diskBytes: use.diskBytes === null ? undefined : formatSize(use.diskBytes),
    ...heldUse(use),
  };
  return Object.entries(states).map(([limit, { value, enforcement }]) => ({
    limit,
    value: value === null ? "-" : formatLimit(limit, value),
    held: enforcement,
    used: used[limit] ?? "-",
  }));
}

/** Of what the sidecar itself counts. */
function heldUse({ outputBytes = 0, terminals = 0, network }: VmStats): Record<string, string> {
  const passed = (network?.sentBytes ?? 0) + (network?.receivedBytes ?? 0);
  return {
    outputBytes: formatSize(outputBytes),
    terminals: String(terminals),
    networkBytes: formatSize(passed),
    networkConnections: String(network?.connections ?? 0),
  };
}

function formatLimit(limit: string, value: number): string {
  if (limit === "outputRate") return `${formatSize(value)}/s`;
  if (limit.endsWith("Bytes")) return formatSize(value);
  return limit.endsWith("Ms") ? formatDuration(value) : String(value);
}
