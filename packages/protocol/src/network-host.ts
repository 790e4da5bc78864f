import { isIPv4 } from "node:net";
import { domainToASCII } from "node:url";

/** A host in its one form: both the check and the dial take this, and nothing else. */
export type NetworkHost =
  /** Lower-case, punycode, without a trailing dot. */
  | { readonly kind: "name"; readonly name: string }
  /** IPv4 dotted, or IPv6 in its shortest form. An IPv4 address mapped into IPv6 is IPv4. */
  | { readonly kind: "address"; readonly address: string; readonly family: 4 | 6 };

const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
/** What some resolver would take for an address: octal, hexadecimal, one number, fewer parts. */
const NUMERIC = /^(?:\d+|0x[0-9a-f]*)$/;
const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;
const MAX_NAME = 253;

/** The host that a text names, or undefined where it is none or ambiguous. IPv6 with or without brackets. */
export function parseNetworkHost(text: string): NetworkHost | undefined {
  if (text.includes(":") || text.startsWith("[")) return parseVersion6(text);
  if (isIPv4(text)) return { kind: "address", address: text, family: 4 };
  // Before the conversion: it would drop some of these without a word.
  if (/[\p{C}\p{Z}@/\\%?#]/u.test(text)) return undefined;
  const name = domainToASCII(text).replace(/\.$/, "");
  const labels = name.split(".");
  if (name.length > MAX_NAME || NUMERIC.test(labels.at(-1) ?? "")) return undefined;
  return labels.every((label) => LABEL.test(label)) ? { kind: "name", name } : undefined;
}

function parseVersion6(text: string): NetworkHost | undefined {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (!/^[0-9a-fA-F:.]{2,45}$/.test(bare)) return undefined;
  const url = URL.parse(`http://[${bare}]/`);
  if (url === null) return undefined;
  const address = url.hostname.slice(1, -1);
  const mapped = MAPPED.exec(address);
  if (mapped === null) return { kind: "address", address, family: 6 };
  const bytes = mapped.slice(1).flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
  return { kind: "address", address: bytes.join("."), family: 4 };
}
