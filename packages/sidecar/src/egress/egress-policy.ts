import { type HostPattern, type NetworkPolicy, parseHostPattern } from "@agentos/protocol";

import { isPublicAddress } from "./address-ranges.ts";

/** An address to dial, in its one form. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** What a VM's policy says of hosts and addresses. An empty list lets nothing through. */
export class EgressPolicy {
  readonly #patterns: readonly HostPattern[];

  /** A pattern that does not parse lets nothing through. */
  constructor(policy: NetworkPolicy) {
    const hosts = policy.egress === "allow" ? policy.hosts : [];
    this.#patterns = hosts.flatMap((text) => parseHostPattern(text) ?? []);
  }

  /** Whether the name may be looked up for that port. Its addresses are another matter. */
  allowsName(name: string, port: number): boolean {
    return this.#some(port, ({ host }) => {
      if (host.kind === "name") return host.name === name;
      if (host.kind === "below") return name.endsWith(`.${host.name}`);
      return host.kind === "any";
    });
  }

  /** Whether a program may name the address itself. */
  allowsAddress(to: Address, port: number): boolean {
    if (this.#isNamed(to, port)) return true;
    return (
      isPublicAddress(to.address, to.family) && this.#some(port, ({ host }) => host.kind === "any")
    );
  }

  /** Whether a name that is allowed may lead there: to what is not public only where the policy names it. */
  allowsAnswer(to: Address, port: number): boolean {
    return isPublicAddress(to.address, to.family) || this.#isNamed(to, port);
  }

  #isNamed({ address, family }: Address, port: number): boolean {
    const kind = family === 4 ? "ipv4" : "ipv6";
    return this.#some(port, ({ host }) => host.kind === "range" && host.range.check(address, kind));
  }

  #some(port: number, matches: (pattern: HostPattern) => boolean): boolean {
    return this.#patterns.some(
      (pattern) =>
        (pattern.ports === undefined || pattern.ports.includes(port)) && matches(pattern),
    );
  }
}
