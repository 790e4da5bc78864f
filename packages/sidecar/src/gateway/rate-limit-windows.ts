import type { IncomingHttpHeaders } from "node:http";

import type { RateLimitWindow } from "@agentos/protocol";
import { rateLimitReset } from "@agentos/runtimes";

import { GATEWAY_BOUNDS } from "./gateway-bounds.ts";

type Part = "limit" | "remaining" | "reset";

/** `anthropic-ratelimit-requests-reset`, and OpenAI's `x-ratelimit-reset-requests`. */
const ANTHROPIC = /^anthropic-ratelimit-([a-z0-9-]{1,40})-(limit|remaining|reset)$/;
const OPENAI = /^x-ratelimit-(limit|remaining|reset)-([a-z0-9-]{1,40})$/;

/** The limits that an answer's headers tell of. */
export function rateLimitWindows(headers: IncomingHttpHeaders): RateLimitWindow[] {
  const windows = new Map<string, Partial<Record<Part, string>>>();
  for (const [header, value] of Object.entries(headers)) {
    const found = typeof value === "string" ? named(header) : undefined;
    if (found === undefined || windows.size >= GATEWAY_BOUNDS.rateLimitWindows) continue;
    windows.set(found.name, { ...windows.get(found.name), [found.part]: value });
  }
  return [...windows].map(([name, { limit, remaining, reset }]) => ({
    name,
    limit: count(limit),
    remaining: count(remaining),
    // As another header that is read in every spelling of a time.
    resetAt:
      reset === undefined ? null : rateLimitReset({ "x-ratelimit-reset-requests": reset }, ""),
  }));
}

function named(header: string): { name: string; part: Part } | undefined {
  const [, ofAnthropic, anthropicPart] = ANTHROPIC.exec(header) ?? [];
  const [, openAiPart, ofOpenAi] = OPENAI.exec(header) ?? [];
  const name = ofAnthropic ?? ofOpenAi;
  const part = anthropicPart ?? openAiPart;
  if (name === undefined || !isPart(part)) return undefined;
  return { name, part };
}

function isPart(text: string | undefined): text is Part {
  return text === "limit" || text === "remaining" || text === "reset";
}

function count(text: string | undefined): number | null {
  const value = Number(text ?? "none");
  return Number.isFinite(value) ? value : null;
}
