import { AgentOs, type NetworkPolicy } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { printable } from "../output/printable.ts";
import { write } from "../output/write.ts";

export interface NetworkOptions {
  readonly allowHost?: readonly string[];
  readonly none?: boolean;
}

/** `agentos network VM`: what its programs may reach, changed where an option says so. */
export async function network(
  io: Io,
  globals: GlobalOptions,
  vm: string,
  options: NetworkOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  await using os = await AgentOs.attach(vm, { pool: globals.pool, signal });
  const policy = policyOf(options);
  const info = policy === undefined ? await os.info() : await os.setNetwork(policy);
  const { egress, hosts = [] } = info.network;
  if (globals.json === true) {
    await write(io.stdout, `${JSON.stringify({ vmId: os.id, network: info.network })}\n`);
  } else {
    const lines = egress === "none" ? ["nothing but itself"] : hosts.map((host) => printable(host));
    const text = lines.length === 0 ? "nothing: its list is empty" : lines.join("\n");
    await write(io.stdout, `${text}\n`);
  }
  return EXIT_CODE.ok;
}

/** Undefined where no option says anything. */
export function policyOf({ allowHost, none }: NetworkOptions): NetworkPolicy | undefined {
  if (none === true) return { egress: "none" };
  return allowHost === undefined ? undefined : { egress: "allow", hosts: [...allowHost] };
}
