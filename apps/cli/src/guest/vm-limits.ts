import type { CreateOptions, ReachedLimit, VmInfo } from "@agentos/client";

import type { Io } from "../io.ts";
import { formatDuration } from "../output/quantity.ts";
import { formatSize } from "../output/vm-use.ts";
import { write } from "../output/write.ts";

/** The limits of `agentos run`. Sizes in bytes. */
export interface LimitOptions {
  readonly memory?: number;
  readonly cpus?: number;
  readonly pids?: number;
  readonly disk?: number;
  readonly output?: number;
  readonly outputRate?: number;
  readonly netBytes?: number;
  readonly connections?: number;
  readonly terminals?: number;
  readonly requireLimits?: boolean;
}

const NAMES = {
  memory: "memoryBytes",
  cpus: "cpus",
  pids: "pids",
  disk: "diskBytes",
  output: "outputBytes",
  outputRate: "outputRate",
  netBytes: "networkBytes",
  connections: "networkConnections",
  terminals: "terminals",
} as const;
const OPTIONS = [
  "memory",
  "cpus",
  "pids",
  "disk",
  "output",
  "outputRate",
  "netBytes",
  "connections",
  "terminals",
] as const;
const WHAT: Readonly<Partial<Record<ReachedLimit["name"], string>>> = {
  wallMs: "its VM's time is over",
  memoryBytes: "its VM is out of memory",
  outputBytes: "its VM has written all that it may",
};

/** The limits that were named, as the client takes them. */
export function limitsOf(options: LimitOptions): CreateOptions["limits"] {
  const named = namedLimits(options);
  if (named.length === 0) return undefined;
  return {
    ...Object.fromEntries(named.map((option) => [NAMES[option], options[option]])),
    ...(options.requireLimits === true && { require: named.map((option) => NAMES[option]) }),
  };
}

/** One line on stderr for each limit that was named and that this machine does not hold hard. */
export async function warnOfSoftLimits(io: Io, options: LimitOptions, info: VmInfo): Promise<void> {
  for (const option of namedLimits(options)) {
    const enforcement = info.limits[NAMES[option]]?.enforcement ?? "none";
    if (enforcement === "hard") continue;
    const held = enforcement === "soft" ? "is held only softly" : "is not held";
    await write(io.stderr, `agentos: --${option} ${held} on this machine\n`);
  }
}

/** One line on stderr: a limit ended what ran. */
export async function tellLimit(io: Io, { name, value }: ReachedLimit): Promise<void> {
  const what = WHAT[name] ?? "its VM may use no more";
  await write(
    io.stderr,
    `agentos: ended by the limit ${name} of ${format(name, value)}: ${what}\n`,
  );
}

function format(name: ReachedLimit["name"], value: number): string {
  if (name.endsWith("Ms")) return formatDuration(value);
  return name.endsWith("Bytes") ? formatSize(value) : String(value);
}

function namedLimits(options: LimitOptions): (typeof OPTIONS)[number][] {
  return OPTIONS.filter((option) => options[option] !== undefined);
}
