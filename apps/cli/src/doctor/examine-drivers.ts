import { AgentOs, isAgentOsError, type SidecarInfo, type VmInfo } from "@agentos/client";

import { type CgroupSurroundings, limitRemedy } from "./limit-remedy.ts";

type DriverReport = SidecarInfo["drivers"][number];
export type LimitName = keyof DriverReport["limits"];
const LIMITS: readonly LimitName[] = [
  "memoryBytes",
  "cpus",
  "pids",
  "diskBytes",
  "openFiles",
  "watches",
  "wallMs",
];

/** How far a limit holds; for one that does not, why not and what to type. */
export interface LimitFinding {
  readonly enforcement: VmInfo["limits"][LimitName]["enforcement"];
  readonly reason?: string | undefined;
  readonly remedy?: string | undefined;
}

/** What a driver can do on this machine. */
export interface DriverFinding extends Omit<DriverReport, "limits"> {
  readonly limits: Readonly<Record<LimitName, LimitFinding>>;
}

/** Looks into each limit of the reports that is not held. Makes no VM. */
export async function examineDrivers(
  reports: readonly DriverReport[],
  surroundings: CgroupSurroundings,
  pool: string | undefined,
): Promise<DriverFinding[]> {
  return await Promise.all(
    reports.map(async (report) => {
      const explain = (limit: LimitName): Promise<LimitFinding> =>
        examineLimit(report, limit, surroundings, pool);
      const [memoryBytes, cpus, pids, diskBytes, openFiles, watches, wallMs] = await Promise.all([
        explain("memoryBytes"),
        explain("cpus"),
        explain("pids"),
        explain("diskBytes"),
        explain("openFiles"),
        explain("watches"),
        explain("wallMs"),
      ]);
      return {
        ...report,
        limits: { memoryBytes, cpus, pids, diskBytes, openFiles, watches, wallMs },
      };
    }),
  );
}

/** A driver's limits in their order. */
export function limitsOf({
  limits,
}: Pick<DriverFinding, "limits">): (LimitFinding & { limit: LimitName })[] {
  return LIMITS.map((limit) => ({ limit, ...limits[limit] }));
}

async function examineLimit(
  { driver, available, limits }: DriverReport,
  limit: LimitName,
  surroundings: CgroupSurroundings,
  pool: string | undefined,
): Promise<LimitFinding> {
  const enforcement = limits[limit];
  if (enforcement === "hard") return { enforcement };
  // A driver that does not work says only that.
  const reason = available ? await whyNot(driver, limit, pool) : undefined;
  return { enforcement, reason, remedy: limitRemedy(limit, reason ?? "", surroundings) };
}

/** The driver says why when it refuses a VM that requires the limit; such a one is refused before it is made. */
async function whyNot(
  driver: string,
  limit: LimitName,
  pool: string | undefined,
): Promise<string | undefined> {
  try {
    const os = await AgentOs.create({ pool, driver, limits: { require: [limit] } });
    await os.dispose();
    return undefined;
  } catch (error) {
    // Any other error says nothing of the limit, and the report stands without.
    return isAgentOsError(error, "UNSUPPORTED_LIMIT") ? error.details.reason : undefined;
  }
}
