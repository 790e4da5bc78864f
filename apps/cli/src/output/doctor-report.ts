import type { DirectoryFinding, DirectoryFindings } from "../doctor/directories.ts";
import { type DriverFinding, limitsOf } from "../doctor/examine-drivers.ts";
import type { Failure } from "./failure.ts";
import { printable } from "./printable.ts";
import { formatTable } from "./table.ts";

/** What `agentos doctor` found. */
export interface DoctorReport {
  /** VMs can be made here. */
  readonly ok: boolean;
  /** Of this command. */
  readonly version: string;
  /** Node's version. */
  readonly node: string;
  readonly platform: {
    readonly system: string;
    readonly architecture: string;
    readonly kernel: string;
  };
  readonly directories: DirectoryFindings;
  readonly sidecar:
    | { readonly sidecarId: string; readonly pid: number; readonly version: string }
    | { readonly error: Failure };
  readonly drivers: readonly DriverFinding[];
}

/** The report for a person: what there is, each driver with its limits, and whether VMs can be made. */
export function formatDoctorReport(report: DoctorReport): string {
  const { ok, version, node, platform, directories } = report;
  const { system, architecture, kernel } = platform;
  const facts = [
    `agentos   ${version}`,
    `node      ${node}`,
    `platform  ${system} ${architecture}, ${kernel}`,
    ...directoryLines("runtime", directories.runtime),
    ...directoryLines("state", directories.state),
    ...sidecarLines(report.sidecar),
  ];
  const end = ok ? "VMs can be made here. Try: agentos demo" : adviceOf(report);
  return `${facts.join("\n")}\n\n${report.drivers.map(formatDriver).join("")}${end}\n`;
}

function adviceOf({ drivers }: DoctorReport): string {
  const settled = "No isolated VM can be made here until the above is settled.";
  const hasVirtual = drivers.some(({ driver, available }) => driver === "virtual" && available);
  if (!hasVirtual) return settled;
  return `${settled}\nWithout a security boundary: agentos run --driver virtual -- CMD`;
}

function directoryLines(name: string, finding: DirectoryFinding): string[] {
  const { path, usable, reason, remedy } = finding;
  const state = usable ? "usable" : `not usable: ${reason ?? "no reason given"}`;
  return [`${name.padEnd(10)}${printable(path)}: ${printable(state)}`, ...remedyLines(remedy)];
}

function sidecarLines(sidecar: DoctorReport["sidecar"]): string[] {
  if (!("error" in sidecar)) {
    const { sidecarId, pid, version } = sidecar;
    return [`sidecar   ${printable(sidecarId)}, pid ${pid}, version ${version}`];
  }
  const { message, remedy } = sidecar.error;
  return [`sidecar   not reached: ${message}`, ...remedyLines(remedy)];
}

function remedyLines(remedy: string | undefined): string[] {
  return remedy === undefined ? [] : [`          -> ${printable(remedy)}`];
}

function formatDriver(finding: DriverFinding): string {
  const { driver, available, isolation, reason, remedy } = finding;
  const state = available ? "works" : `does not work: ${reason ?? "no reason given"}`;
  const title = `driver ${printable(driver)} (isolation: ${printable(isolation)}) ${printable(state)}`;
  const lines = [title, ...remedyLines(remedy)];
  if (available) lines.push(...wallLines(finding), ...limitLines(finding));
  return `${lines.join("\n")}\n\n`;
}

/** Only of a driver that says which there are. */
function wallLines({ walls }: DriverFinding): string[] {
  if (walls === undefined) return [];
  const names = walls.length === 0 ? "none: this kernel has no Landlock" : walls.join(", ");
  return [`  further walls: ${printable(names)}`];
}

function limitLines(finding: DriverFinding): string[] {
  const limits = limitsOf(finding);
  const table = formatTable(
    [
      { title: "LIMIT", value: ({ limit }) => limit },
      { title: "HELD", value: ({ enforcement }) => enforcement },
      { title: "WHY NOT", value: ({ reason }) => reason ?? "" },
    ],
    limits,
  );
  const rows = table.trimEnd().split("\n");
  const advice = new Map<string, string[]>();
  for (const { limit, remedy } of limits) {
    if (remedy !== undefined) advice.set(remedy, [...(advice.get(remedy) ?? []), limit]);
  }
  const remedies = Array.from(advice, ([text, names]) => `for ${names.join(" and ")}: ${text}`);
  return [...rows.map((row) => `  ${row}`), ...remedies.flatMap(remedyLines)];
}
