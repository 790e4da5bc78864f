import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { write, writeJson } from "../output/write.ts";

/** `agentos fork VM NAME...`: a new VM per name, which begins with the files of VM. */
export async function fork(
  io: Io,
  { pool, json }: GlobalOptions,
  vm: string,
  names: readonly string[],
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  await using os = await AgentOs.attach(vm, { pool, signal });
  const forks = await os.fork(names.length, { names, signal });
  const vms = forks.map(({ id: vmId, name }) => ({ name, vmId }));
  await Promise.all(forks.map((each) => each.dispose()));
  if (json === true) await writeJson(io.stdout, { parent: os.id, vms });
  else await write(io.stdout, vms.map(({ name, vmId }) => `${name} ${vmId}\n`).join(""));
  return EXIT_CODE.ok;
}
