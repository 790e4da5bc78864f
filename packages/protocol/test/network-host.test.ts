import { expect, test } from "vitest";

import { parseNetworkHost } from "../src/network-host.ts";
import { NetworkPolicy, parseHostPattern } from "../src/network-policy.ts";

const text = (given: string): string | undefined => {
  const host = parseNetworkHost(given);
  return host === undefined ? undefined : host.kind === "name" ? host.name : host.address;
};

test.each([
  ["example.com", "example.com"],
  ["EXAMPLE.com", "example.com"],
  ["example.com.", "example.com"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["ｅxample.com", "example.com"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["under_score.example", "under_score.example"],
  ["localhost", "localhost"],
  ["1.2.3.4", "1.2.3.4"],
  ["[::1]", "::1"],
  ["::1", "::1"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["[::ffff:127.0.0.1]", "127.0.0.1"],
  ["::ffff:7f00:1", "127.0.0.1"],
])("[network.host-parser] %s is %s", (given, host) => {
  expect(text(given)).toBe(host);
});

test.each([
  "",
  ".",
  "a..b",
  "example.com..",
  ".example.com",
  "evil.test\0.example.com",
  "example.com\0",
  "user@example.com",
  "example.com@evil.test",
  "example.com/evil",
  "example.com\\evil",
  "example.com#x",
  "exam%70le.com",
  "example.com evil",
  "example.com\u00a0",
  "exam\u00adple.com",
  "2130706433",
  "0x7f000001",
  "0x7f.1",
  "0177.0.0.1",
  "127.1",
  "127.0.0.1.",
  "1.2.3.04",
  "1.2.3.4.5",
  "example.0x1",
  "[fe80::1%eth0]",
  "fe80::1%25eth0",
  "[::1",
  "[::1]]",
  "[1.2.3.4]",
  "::g",
  "-a.example",
  `${"a".repeat(64)}.example`,
  `${"a.".repeat(130)}example`,
])("[network.host-parser] %j is no host", (given) => {
  expect(text(given)).toBeUndefined();
});

test.each([
  "example.com",
  "*.example.com:8443",
  "*",
  "*:*",
  "1.2.3.4:5",
  "10.0.0.0/8",
  "[::1]:80",
  "[fd00::]/8:*",
])("%s is a pattern", (given) => {
  expect(parseHostPattern(given)).toBeDefined();
});

test.each([
  "",
  ":80",
  "*.",
  "**",
  "*.*.com",
  "a.*.com",
  "*.1.2.3.4",
  "example.com:0",
  "example.com:70000",
  "example.com:",
  "example.com/8",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "http://example.com",
  "example.com,evil.test",
  "::1",
  "[::1]/129",
])("[network.bad-policy] %j is no pattern", (given) => {
  expect(parseHostPattern(given)).toBeUndefined();
  expect(NetworkPolicy.safeParse({ egress: "allow", hosts: [given] }).success).toBe(false);
});

test.each([
  { egress: "allow" },
  { egress: "allow", hosts: null },
  { egress: "allow", hosts: "example.com" },
  { egress: "allow", hosts: [], ports: [1] },
  { egress: "none", hosts: [] },
  { egress: "all" },
  {},
  null,
])("[network.bad-policy] %j is no policy", (given) => {
  expect(NetworkPolicy.safeParse(given).success).toBe(false);
});
