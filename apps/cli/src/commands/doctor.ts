import { existsSync } from "node:fs";
import { arch, platform, release } from "node:os";

import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { findDirectories } from "../doctor/directories.ts";
import { examineDrivers } from "../doctor/examine-drivers.ts";
import { EXIT_CODE } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { type DoctorReport, formatDoctorReport } from "../output/doctor-report.ts";
import { describeFailure } from "../output/failure.ts";
import { write, writeJson } from "../output/write.ts";
import { VERSION } from "../version.ts";

/** The driver without which this command has no VMs. */
const NEEDED_DRIVER = "linux";

type SidecarFinding = Pick<DoctorReport, "sidecar" | "drivers">;

/** `agentos doctor`: what works here, and what to do about the rest. A sidecar that can't be started is a finding. */
export async function doctor(io: Io, globals: GlobalOptions): Promise<number> {
  const report = await examine(io, globals.pool);
  if (globals.json === true) await writeJson(io.stdout, report);
  else await write(io.stdout, formatDoctorReport(report));
  return report.ok ? EXIT_CODE.ok : EXIT_CODE.unfit;
}

async function examine(io: Io, pool: string | undefined): Promise<DoctorReport> {
  const machine = {
    version: VERSION,
    node: process.versions.node,
    platform: { system: platform(), architecture: arch(), kernel: release() },
  };
  const directories = await findDirectories(io.env);
  const { usable, remedy = "" } = directories.runtime;
  const found = usable ? await reachSidecar(pool) : unreachable(remedy);
  const ok = found.drivers.some(({ driver, available }) => driver === NEEDED_DRIVER && available);
  return { ok, ...machine, directories, ...found };
}

function unreachable(remedy: string): SidecarFinding {
  const message = "it has no usable runtime directory";
  return { sidecar: { error: { code: "SIDECAR_START_FAILED", message, remedy } }, drivers: [] };
}

async function reachSidecar(pool: string | undefined): Promise<SidecarFinding> {
  try {
    const handle = await AgentOs.getSharedSidecar({ pool });
    const { sidecarId, pid, version, drivers } = await handle.info();
    const isRoot = process.geteuid?.() === 0;
    const surroundings = { isRoot, hasSystemd: existsSync("/run/systemd/system") };
    return {
      sidecar: { sidecarId, pid, version },
      drivers: await examineDrivers(drivers, surroundings, pool),
    };
  } catch (error) {
    return { sidecar: { error: describeFailure(error) }, drivers: [] };
  }
}
