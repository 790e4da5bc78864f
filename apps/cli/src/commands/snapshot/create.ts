import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";

/** `agentos snapshot create VM [NAME]`: prints the snapshot's name, or its id. */
export async function create(
  io: Io,
  { pool, json }: GlobalOptions,
  vm: string,
  name: string | undefined,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  await using os = await AgentOs.attach(vm, { pool, signal });
  const snapshot = await os.snapshot({ name, signal });
  if (json === true) await writeJson(io.stdout, snapshot);
  else await write(io.stdout, `${snapshot.name ?? snapshot.snapshotId}\n`);
  return EXIT_CODE.ok;
}
