/** The wire version this build speaks. A client offers a range; the highest common one is taken. */
export const PROTOCOL_VERSION = 1;

/** The oldest wire version this build still speaks. */
export const OLDEST_PROTOCOL_VERSION = 1;

export interface VersionRange {
  min: number;
  max: number;
}

/** The range that this build offers. */
export const SUPPORTED_VERSIONS: Readonly<VersionRange> = {
  min: OLDEST_PROTOCOL_VERSION,
  max: PROTOCOL_VERSION,
};

/** The highest version in both ranges, or undefined where they don't meet. */
export function highestCommonVersion(
  a: Readonly<VersionRange>,
  b: Readonly<VersionRange>,
): number | undefined {
  const max = Math.min(a.max, b.max);
  return max >= Math.max(a.min, b.min) ? max : undefined;
}
