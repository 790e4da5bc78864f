import { AgentOs, type NetworkPolicy, type VmInfo } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { printable } from "../output/printable.ts";
import { write } from "../output/write.ts";

export interface NetworkOptions {
  readonly allowHost?: readonly string[];
  readonly none?: boolean;
  readonly private?: string;
  readonly offer?: readonly number[];
  readonly leave?: boolean;
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
  const before = await os.info();
  const policy = policyOf(options, before.network);
  const { network: now } = policy === undefined ? before : await os.setNetwork(policy);
  if (globals.json === true) {
    await write(io.stdout, `${JSON.stringify({ vmId: os.id, network: now })}\n`);
  } else {
    await write(io.stdout, textOf(now));
  }
  return EXIT_CODE.ok;
}

/** Undefined where no option says anything. What none speaks of stays as it was before. */
export function policyOf(
  { allowHost, none, private: name, offer, leave }: NetworkOptions,
  before: VmInfo["network"] = { egress: "none" },
): NetworkPolicy | undefined {
  const saysEgress = none === true || allowHost !== undefined;
  const saysPrivate = name !== undefined || leave === true;
  if (!saysEgress && !saysPrivate) return undefined;
  const hosts = none === true ? undefined : (allowHost ?? before.hosts);
  const joined = name === undefined ? before.private : { network: name, ports: [...(offer ?? [])] };
  return {
    ...(hosts === undefined ? { egress: "none" } : { egress: "allow", hosts: [...hosts] }),
    ...(joined === undefined || leave === true ? {} : { private: joined }),
  };
}

function textOf({ egress, hosts = [], private: joined }: VmInfo["network"]): string {
  const reached = egress === "none" ? ["nothing but itself"] : hosts.map((host) => printable(host));
  const lines = reached.length === 0 ? ["nothing: its list is empty"] : reached;
  if (joined !== undefined) {
    const offered = (joined.ports ?? []).map((port) => ` ${port}`).join("");
    lines.push(`private network ${joined.network}, offers${offered === "" ? " nothing" : offered}`);
  }
  return `${lines.join("\n")}\n`;
}
