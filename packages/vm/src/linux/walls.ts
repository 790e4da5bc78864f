/** Walls that not every kernel has, by the bits in which vmd says that they are up. */
const WALLS: readonly (readonly [bit: number, name: string])[] = [
  [1, "landlock"],
  [2, "landlock-scopes"],
];

/** Unknown bits are of a later vmd, and have no name here. */
export function wallNames(bits: number): string[] {
  return WALLS.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
}
