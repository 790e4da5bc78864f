/** The versions that a runtime was made for. */
export interface VersionRange {
  readonly from: string;
  /** The first one after them. */
  readonly below: string;
}

const NUMBERS = /(\d+)\.(\d+)\.(\d+)/;

/** The first version in a program's own words. */
export function versionIn(text: string): string | undefined {
  return NUMBERS.exec(text)?.[0];
}

export function isWithin(version: string, { from, below }: VersionRange): boolean {
  return compareVersions(version, from) >= 0 && compareVersions(version, below) < 0;
}

/** Below 0: `a` is the older one. What is no version is older than any. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  const at = left.findIndex((number, index) => number !== right[index]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

function numbersOf(version: string): number[] {
  return (NUMBERS.exec(version) ?? ["", "-1", "-1", "-1"]).slice(1).map(Number);
}
