/** Says when an exhausted limit is there again, as ISO 8601; `null` where the provider did not. The latest of what it told. */
export function rateLimitReset(
  headers: Readonly<Record<string, string>>,
  body: string,
  nowMs = Date.now(),
): string | null {
  const told = [
    ...retryAfter(headers, nowMs),
    ...RESET_HEADERS.flatMap((name) => resetHeader(headers[name], nowMs)),
    ...retryDelay(body, nowMs),
  ];
  if (told.length === 0) return null;
  return new Date(Math.max(...told)).toISOString();
}

const RESET_HEADERS: readonly string[] = [
  "anthropic-ratelimit-unified-reset",
  "anthropic-ratelimit-requests-reset",
  "x-ratelimit-reset-requests",
  "x-ratelimit-reset-tokens",
];

/** Years ahead is no time that anybody waits for, and may not be a date at all. */
const FARTHEST_MS = 400 * 24 * 3_600_000;

function retryAfter(headers: Readonly<Record<string, string>>, nowMs: number): number[] {
  const milliseconds = Number(headers["retry-after-ms"] ?? "none");
  if (Number.isFinite(milliseconds)) return sane(nowMs + milliseconds, nowMs);
  const value = headers["retry-after"];
  if (value === undefined) return [];
  const seconds = Number(value);
  return sane(Number.isFinite(seconds) ? nowMs + seconds * 1_000 : Date.parse(value), nowMs);
}

/** A date, seconds since 1970, or a duration such as `1m2.5s`. */
function resetHeader(value: string | undefined, nowMs: number): number[] {
  if (value === undefined) return [];
  if (/^\d{9,}$/.test(value)) return sane(Number(value) * 1_000, nowMs);
  const duration = durationMs(value);
  return sane(duration === undefined ? Date.parse(value) : nowMs + duration, nowMs);
}

/** What Google puts in the body. */
function retryDelay(body: string, nowMs: number): number[] {
  const value = /"retryDelay"\s*:\s*"([^"]{1,40})"/.exec(body)?.[1];
  const duration = value === undefined ? undefined : durationMs(value);
  return duration === undefined ? [] : sane(nowMs + duration, nowMs);
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function durationMs(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g);
  return [...parts].reduce((sum, [, count, unit = "s"]) => {
    return sum + Number(count) * (UNITS_MS[unit] ?? 0);
  }, 0);
}

function sane(atMs: number, nowMs: number): number[] {
  return Number.isFinite(atMs) && Math.abs(atMs - nowMs) < FARTHEST_MS ? [atMs] : [];
}
