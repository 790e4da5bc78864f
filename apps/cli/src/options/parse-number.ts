import { InvalidArgumentError } from "commander";

const LONGEST_TIMEOUT_MS = 0xffff_ffff;

/** A positive decimal number. */
export function parsePositive(text: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0)) throw new InvalidArgumentError("Expected a number above 0.");
  return value;
}

/** A whole number of at least 1. */
export function parseCount(text: string): number {
  const value = parsePositive(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError("Expected a whole number.");
  return value;
}

/** A whole number of at least 0. */
export function parseWhole(text: string): number {
  return text === "0" ? 0 : parseCount(text);
}

/** Milliseconds from seconds, at least 1 and at most what the wire carries (49 days). */
export function parseSeconds(text: string): number {
  const ms = Math.ceil(parsePositive(text) * 1000);
  if (ms > LONGEST_TIMEOUT_MS) throw new InvalidArgumentError("Expected at most 4294967 seconds.");
  return ms;
}
