import { InvalidArgumentError } from "commander";

const UNITS = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 } as const;
const SIZE = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i;

/** Bytes from `512m`, `1.5g`, `4GiB` or a plain number; units are powers of 1024. */
export function parseSize(text: string): number {
  const match = SIZE.exec(text);
  const unit = match?.[2]?.toLowerCase();
  if (match === null || !isUnit(unit)) {
    throw new InvalidArgumentError("Expected a size such as 512m or 4g.");
  }
  return Math.round(Number(match[1]) * UNITS[unit]);
}

/** A parser for sizes of at least `least`, such as `16m`. */
export function sizeParser(least: string): (text: string) => number {
  return (text) => {
    const bytes = parseSize(text);
    if (bytes < parseSize(least)) throw new InvalidArgumentError(`Expected at least ${least}.`);
    return bytes;
  };
}

function isUnit(unit: string | undefined): unit is keyof typeof UNITS {
  return unit !== undefined && Object.hasOwn(UNITS, unit);
}
