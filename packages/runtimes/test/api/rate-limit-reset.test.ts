import { expect, test } from "vitest";

import { rateLimitReset } from "../../src/api/rate-limit-reset.ts";

const NOW = Date.parse("2026-11-21T08:00:00Z");

test.for([
  [{ "retry-after": "7" }, "", "2026-11-21T08:00:07.000Z"],
  [{ "retry-after-ms": "1500" }, "", "2026-11-21T08:00:01.500Z"],
  [{ "retry-after": "Sat, 21 Nov 2026 08:01:00 GMT" }, "", "2026-11-21T08:01:00.000Z"],
  [
    { "anthropic-ratelimit-requests-reset": "2026-11-21T09:00:00Z", "retry-after": "1" },
    "",
    "2026-11-21T09:00:00.000Z",
  ],
  [{ "anthropic-ratelimit-unified-reset": "1795253400" }, "", "2026-11-21T09:30:00.000Z"],
  [{ "x-ratelimit-reset-requests": "1m2.5s" }, "", "2026-11-21T08:01:02.500Z"],
  [{ "x-ratelimit-reset-tokens": "250ms" }, "", "2026-11-21T08:00:00.250Z"],
  [{}, '{"retryDelay": "3.5s"}', "2026-11-21T08:00:03.500Z"],
  [{}, "", null],
  [{ "retry-after": "soon", "x-ratelimit-reset-requests": "never" }, '{"retryDelay":"x"}', null],
  [{ "retry-after": "99999999999999" }, "", null],
] as const)("%# a provider's reset", ([headers, body, expected]) => {
  expect(rateLimitReset({ ...headers }, body, NOW)).toBe(expected);
});
