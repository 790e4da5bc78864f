import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";

/** A system error number with its name and what libuv says of it. */
export interface Errno {
  readonly code: number;
  readonly name: string;
  readonly message: string;
}

const LARGEST_ERRNO = 4095;
const names = new Map(Object.entries(constants.errno).map(([name, code]) => [code, name]));

/** Names a number that a VM sent. Unknown ones become `E<number>`. */
export function errnoOf(code: number): Errno {
  const known = getSystemErrorMap().get(-code);
  if (known !== undefined) return { code, name: known[0], message: known[1] };
  const name = names.get(code) ?? (code <= LARGEST_ERRNO ? `E${code}` : "EUNKNOWN");
  return { code, name, message: `system error ${code}` };
}
