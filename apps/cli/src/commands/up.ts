import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { formatAge } from "../output/quantity.ts";
import { write, writeJson } from "../output/write.ts";

/** `agentos up`: the pool's sidecar stays until `agentos down`. */
export async function up(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const sidecar = await AgentOs.getSharedSidecar({ pool });
  await sidecar.keep(true);
  const info = await sidecar.info();
  if (json === true) {
    await writeJson(io.stdout, info);
    return EXIT_CODE.ok;
  }
  const age = formatAge(Date.now() - Date.parse(info.startedAt));
  await write(io.stdout, `${info.sidecarId} is up: pid ${info.pid}, ${info.vms} VMs, ${age} old\n`);
  for (const { driver, available, isolation, reason } of info.drivers) {
    const state = available ? isolation : `unavailable: ${reason ?? "no reason given"}`;
    await write(io.stdout, `  driver ${driver}: ${state}\n`);
  }
  return EXIT_CODE.ok;
}
