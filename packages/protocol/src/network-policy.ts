import { BlockList } from "node:net";

import * as z from "zod";

import { VmName } from "./ids.ts";
import { type NetworkHost, parseNetworkHost } from "./network-host.ts";

const MAX_HOSTS = 1_024;
const MAX_PORT = 65_535;
/** Below it no program of a VM can listen. */
const FIRST_OFFERED_PORT = 1_024;
const MAX_OFFERED_PORTS = 16;
/** Of a pattern that names none. */
const WEB_PORTS: readonly number[] = [80, 443];

/** What one entry of a policy lets through. */
export interface HostPattern {
  /** `any`: every public address, by whatever name. `below`: every name that ends with it. */
  readonly host:
    | { readonly kind: "any" }
    | { readonly kind: "name" | "below"; readonly name: string }
    | { readonly kind: "range"; readonly range: BlockList };
  /** Undefined: every port. */
  readonly ports: readonly number[] | undefined;
}

/**
 * `example.com`, `*.example.com`, `*`, an address or a range such as `10.0.0.0/8` or `[fd00::]/8`, each with
 * `:port` or `:*`; without one: 80 and 443. Undefined for what is none of these.
 */
export function parseHostPattern(text: string): HostPattern | undefined {
  const [, host = "", portText] =
    /^(\[[^\]]*\](?:\/\d+)?|[^:]*)(?::(\*|\d{1,5}))?$/.exec(text) ?? [];
  const ports = portsOf(portText);
  const parsed = parsePatternHost(host);
  return ports === false || parsed === undefined ? undefined : { host: parsed, ports };
}

function portsOf(text: string | undefined): readonly number[] | undefined | false {
  if (text === undefined) return WEB_PORTS;
  if (text === "*") return undefined;
  const port = Number(text);
  return port >= 1 && port <= MAX_PORT && [port];
}

function parsePatternHost(text: string): HostPattern["host"] | undefined {
  if (text === "*") return { kind: "any" };
  if (text.startsWith("*.")) {
    const below = parseNetworkHost(text.slice(2));
    return below?.kind === "name" ? { kind: "below", name: below.name } : undefined;
  }
  const [base = "", prefix, ...more] = text.split("/");
  if (more.length > 0) return undefined;
  const host = parseNetworkHost(base);
  if (host?.kind !== "address") return prefix === undefined ? host : undefined;
  return rangeOf(host, prefix);
}

function rangeOf(
  { address, family }: Extract<NetworkHost, { kind: "address" }>,
  prefix: string | undefined,
): HostPattern["host"] | undefined {
  const most = family === 4 ? 32 : 128;
  const bits = prefix === undefined ? most : Number(prefix);
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || bits > most)) return undefined;
  const range = new BlockList();
  range.addSubnet(address, bits, family === 4 ? "ipv4" : "ipv6");
  return { kind: "range", range };
}

const Host = z
  .string()
  .max(300)
  .refine(
    (text) => parseHostPattern(text) !== undefined,
    "expected a host such as example.com, *.example.com:8443 or 10.0.0.0/8:5432",
  );

/** The VMs of one user that name the same network reach one another by name, at the ports that each offers. */
const PrivateNetwork = z.strictObject({
  network: VmName,
  /** What the others may reach of this VM: programs that listen at its 127.0.0.1. Default: nothing. */
  ports: z.array(z.int().min(FIRST_OFFERED_PORT).max(MAX_PORT)).max(MAX_OFFERED_PORTS).optional(),
});

/** What a VM's programs may reach. Unknown fields are refused: ignoring one would fail open. */
export const NetworkPolicy = z.discriminatedUnion("egress", [
  z.strictObject({ egress: z.literal("none"), private: PrivateNetwork.optional() }),
  z.strictObject({
    egress: z.literal("allow"),
    hosts: z.array(Host).max(MAX_HOSTS),
    private: PrivateNetwork.optional(),
  }),
]);
export type NetworkPolicy = z.infer<typeof NetworkPolicy>;

/** A decision on a connection that a program of a VM asked for. */
export const NetworkDecision = z.object({
  decision: z.enum(["allowed", "refused"]),
  /** By which protocol it was asked for; `tool`: a session's own tool asked; `private`: of a VM on the same private network. */
  via: z.enum(["http", "connect", "socks", "tool", "private"]),
  /** Of a private network: the VM's name, or its id. */
  host: z.string(),
  port: z.int(),
  /** The address that was dialled. */
  address: z.string().optional(),
  /** Why it was refused. */
  reason: z.string().optional(),
  /** Decisions before this one that were not told: there were too many at once. */
  untold: z.int().min(0),
});
export type NetworkDecision = z.infer<typeof NetworkDecision>;
