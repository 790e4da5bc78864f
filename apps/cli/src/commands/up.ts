import { AgentOs, AgentOsError } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { formatAge, formatBytes } from "../output/quantity.ts";
import { write, writeJson } from "../output/write.ts";

export interface UpOptions {
  /** In bytes. */
  readonly transcripts?: number;
}

/** `agentos up`: the pool's sidecar stays until `agentos down`. */
export async function up(
  io: Io,
  { pool, json }: GlobalOptions,
  { transcripts }: UpOptions,
): Promise<number> {
  const room = transcripts === undefined ? {} : { transcriptBytes: transcripts };
  const sidecar = await AgentOs.getSharedSidecar({ pool, ...room });
  await sidecar.keep(true);
  const info = await sidecar.info();
  if (transcripts !== undefined && transcripts !== info.transcriptBytes)
    throw isUpAlready(info.transcriptBytes, transcripts);
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

function isUpAlready(has: number, wanted: number): AgentOsError<"INVALID_ARGUMENT"> {
  const expected = `${formatBytes(has)}, as the sidecar that is up has it, or agentos down first`;
  const details = { argument: "--transcripts", expected, actual: formatBytes(wanted) };
  const message = `--transcripts: expected ${expected}; got ${details.actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, details);
}
