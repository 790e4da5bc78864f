import type { VmRecord } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import type { VmDisk } from "./disk/vm-disk.ts";

const VERSION = 1;

/** What a VM of an earlier sidecar is found, adopted and cleaned up by. */
export interface LinuxVmRecord {
  /** The VM's id between driver and vmd; its secret is derived from it. */
  readonly linkId: string;
  readonly socketPath: string;
  /** The socket of the spawner that made it. */
  readonly spawnerPath: string;
  /** The VM's init on the host, which the VM ends with. */
  readonly pid: number;
  readonly startTicks: string;
  /** Root only. */
  readonly hostId: number | undefined;
  readonly cgroups: readonly string[];
  /** Milliseconds since 1970, for what is left of `wallMs`. */
  readonly startedAt: number;
  readonly disk: VmDisk;
}

/** The record as the sidecar keeps it. */
export function encodeRecord(record: LinuxVmRecord): VmRecord {
  const { hostId, disk, ...rest } = record;
  const { name, generation, layers, keepers, parts } = disk;
  return {
    version: VERSION,
    ...rest,
    generation,
    keepers,
    ...(hostId === undefined ? {} : { hostId }),
    ...(name === undefined ? {} : { disk: name }),
    ...(layers === undefined ? {} : { layers }),
    ...(parts === undefined ? {} : { parts }),
  };
}

/** Reads what `encodeRecord` wrote. Throws `INVALID_ARGUMENT` for anything else. */
export function decodeRecord(record: VmRecord): LinuxVmRecord {
  if (record["version"] !== VERSION) throw invalid("version", String(VERSION), record["version"]);
  const hostId = record["hostId"];
  return {
    linkId: text(record, "linkId"),
    socketPath: text(record, "socketPath"),
    spawnerPath: text(record, "spawnerPath"),
    pid: integer(record, "pid"),
    startTicks: text(record, "startTicks"),
    hostId: hostId === undefined ? undefined : integer(record, "hostId"),
    cgroups: texts(record, "cgroups"),
    startedAt: integer(record, "startedAt"),
    disk: diskOf(record),
  };
}

/** Earlier versions said nothing of it: what is not known is no layer that one can go by. */
function diskOf(record: VmRecord): VmDisk {
  const { disk, generation = 0, layers } = record;
  return {
    name: disk === undefined ? undefined : text(record, "disk"),
    generation: typeof generation === "number" ? generation : 0,
    layers: layers === undefined ? undefined : texts(record, "layers"),
    keepers: record["keepers"] === undefined ? [] : texts(record, "keepers"),
    ...(record["parts"] === undefined ? {} : { parts: texts(record, "parts") }),
  };
}

function text(record: VmRecord, name: string): string {
  const value = record[name];
  if (typeof value === "string" && value !== "") return value;
  throw invalid(name, "a text", value);
}

function integer(record: VmRecord, name: string): number {
  const value = record[name];
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  throw invalid(name, "a positive integer", value);
}

function texts(record: VmRecord, name: string): readonly string[] {
  const value = record[name];
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw invalid(name, "a list of texts", value);
}

function invalid(name: string, expected: string, value: unknown): AgentOsError<"INVALID_ARGUMENT"> {
  const actual = value === undefined ? "nothing" : JSON.stringify(value).slice(0, 80);
  return new AgentOsError(
    "INVALID_ARGUMENT",
    `record.${name}: expected ${expected}, got ${actual}`,
    { argument: `record.${name}`, expected, actual },
  );
}
