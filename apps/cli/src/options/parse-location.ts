import { posix } from "node:path";

/** One side of `agentos cp`. */
export type Location =
  | { readonly kind: "host"; readonly path: string }
  | { readonly kind: "vm"; readonly vm: string; readonly path: string };

const IN_VM = /^([A-Za-z0-9_-]{1,64}):(.*)$/s;
const MEANT_AS_DIRECTORY = /\/\.?$/;

/**
 * `VM:PATH` is in a VM, anything else on the host; a host path with a colon starts with `/` or `./`.
 * A relative path in a VM starts at /workspace. A final `/` or `/.` stays, because it has a meaning.
 */
export function parseLocation(text: string): Location {
  const match = IN_VM.exec(text);
  if (match === null) return { kind: "host", path: text };
  const [, vm = "", path = ""] = match;
  const end = MEANT_AS_DIRECTORY.exec(path)?.[0] ?? "";
  const resolved = posix.resolve("/workspace", path);
  return { kind: "vm", vm, path: resolved === "/" ? `/${end.slice(1)}` : `${resolved}${end}` };
}
