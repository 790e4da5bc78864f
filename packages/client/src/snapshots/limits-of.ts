import type { Limits, VmInfo } from "@agentos/protocol";

/** The values of a VM's limits, for another one like it. */
export function limitsOf({ limits }: VmInfo): Limits {
  const set = Object.entries(limits).filter(([, { value }]) => value !== null);
  return Object.fromEntries(set.map(([name, { value }]) => [name, value]));
}
