import { BlockList } from "node:net";

/** What is no address of the public internet: this machine, its networks, and what clouds keep there. */
const SPECIAL: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** Of version 6, everything but global unicast, and of that what leads elsewhere. */
const SPECIAL_6: readonly (readonly [string, number])[] = [
  ["::", 3],
  ["4000::", 2],
  ["8000::", 1],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

const special = new BlockList();
for (const [address, prefix] of SPECIAL) special.addSubnet(address, prefix, "ipv4");
for (const [address, prefix] of SPECIAL_6) special.addSubnet(address, prefix, "ipv6");

/** Whether the address belongs to the public internet. */
export function isPublicAddress(address: string, family: 4 | 6): boolean {
  return !special.check(address, family === 4 ? "ipv4" : "ipv6");
}
