import { randomUUID } from "node:crypto";

/** Longest id of a call, here and with every provider. */
const MAX_ID = 128;

/** The provider's own id of a call, where it is one: some repeat theirs in each step, some give none. It is in `used` then. */
export function uniqueId(given: string, used: Set<string>): string {
  const isFree = given !== "" && given.length <= MAX_ID && !used.has(given);
  const id = isFree ? given : `call_${randomUUID().replaceAll("-", "")}`;
  used.add(id);
  return id;
}
