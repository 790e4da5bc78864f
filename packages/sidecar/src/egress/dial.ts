import { lookup } from "node:dns/promises";
import { connect, isIPv4, isIPv6, type Socket } from "node:net";

import { type NetworkHost, parseNetworkHost } from "@agentos/protocol";

import type { Address, EgressPolicy } from "./egress-policy.ts";

/** What a program asked for, in its one form. */
export interface Target {
  readonly host: NetworkHost;
  readonly port: number;
}

/** The addresses of a name. */
export type Resolve = (name: string) => Promise<readonly Address[]>;

/** The request was not let through, or led nowhere. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  /** `policy`: it may not be. `unreachable`: it could not be. */
  readonly kind: "policy" | "unreachable";

  constructor(kind: "policy" | "unreachable", reason: string) {
    super(reason);
    this.kind = kind;
  }
}

const RESOLVE_MS = 10_000;
const CONNECT_MS = 30_000;

/** Asks this machine's resolver. */
export const resolveHere: Resolve = async (name) => {
  const found = await lookup(name, { all: true, order: "verbatim" });
  return found.flatMap(({ address }) => addressOf(address) ?? []);
};

export function hostText(host: NetworkHost): string {
  return host.kind === "name" ? host.name : host.address;
}

/** `host:port`, strictly; undefined where it is none. The port may be left out where there is a default. */
export function parseAuthority(text: string, defaultPort?: number): Target | undefined {
  const [, hostPart = "", portPart] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = parseNetworkHost(hostPart);
  const port = portPart === undefined ? defaultPort : Number(portPart);
  if (host === undefined || port === undefined || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

/** Throws a `Refusal` where the policy says no before a name is looked up. */
export function assertNamed({ host, port }: Target, policy: EgressPolicy): void {
  if (host.kind === "address") {
    if (policy.allowsAddress(host, port)) return;
    throw new Refusal("policy", "the policy does not name this address and port");
  }
  if (policy.allowsName(host.name, port)) return;
  throw new Refusal("policy", "the policy does not name this host and port");
}

/** The addresses that may be dialled for it, in the resolver's order. Rejects with a `Refusal`. */
export async function checkedAddresses(
  target: Target,
  policy: EgressPolicy,
  resolve: Resolve,
): Promise<readonly Address[]> {
  assertNamed(target, policy);
  const { host, port } = target;
  if (host.kind === "address") return [host];
  const found = await withinTime(resolve(host.name));
  const allowed = found.filter((address) => policy.allowsAnswer(address, port));
  if (allowed.length > 0) return allowed;
  if (found.length === 0) throw new Refusal("unreachable", "the name has no address");
  throw new Refusal("policy", "the name leads to an address that is not public");
}

/** Connects to one of them: no name is looked up any more. Rejects with a `Refusal`. */
export async function connectChecked(
  addresses: readonly Address[],
  port: number,
): Promise<{ socket: Socket; address: string }> {
  let last = "no address answers";
  for (const { address, family } of addresses) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- the next one only where this one fails
      return { socket: await connectOne(address, port, family), address };
    } catch (error) {
      last = error instanceof Error && "code" in error ? String(error.code) : "failed";
    }
  }
  throw new Refusal("unreachable", last);
}

async function connectOne(host: string, port: number, family: 4 | 6): Promise<Socket> {
  const socket = connect({ host, port, family, noDelay: true, allowHalfOpen: true });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const timer = setTimeout(() => socket.destroy(new Error("ETIMEDOUT")), CONNECT_MS);
  socket.once("connect", () => resolve(socket));
  socket.on("error", reject);
  socket.once("close", () => reject(new Error("closed")));
  return await promise.finally(() => clearTimeout(timer));
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Refusal("unreachable", "no name server answered in time")),
    RESOLVE_MS,
  );
  try {
    return await Promise.race([work, late.promise]);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal("unreachable", "the name was not found");
  } finally {
    clearTimeout(timer);
  }
}

function addressOf(text: string): Address | undefined {
  if (!isIPv4(text) && !isIPv6(text)) return undefined;
  const host = parseNetworkHost(text);
  return host?.kind === "address" ? host : undefined;
}
