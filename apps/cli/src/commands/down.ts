import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { write, writeJson } from "../output/write.ts";

/** `agentos down`: ends the pool's sidecar. None running is no error, and none is started. */
export async function down(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const sidecar = await AgentOs.getSharedSidecar({ pool });
  const ended = await sidecar.shutdown();
  const { sidecarId } = sidecar.describe();
  if (json === true) await writeJson(io.stdout, { sidecarId, ended });
  else if (ended) await write(io.stdout, `${sidecarId} has ended, and every VM in it\n`);
  else await write(io.stdout, `${sidecarId} was not running\n`);
  return EXIT_CODE.ok;
}
