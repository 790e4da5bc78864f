import * as fc from "fast-check";
import { expect, test } from "vitest";

import { highestCommonVersion, SUPPORTED_VERSIONS } from "../src/version.ts";

test("this build offers version 1", () => {
  expect(SUPPORTED_VERSIONS).toEqual({ min: 1, max: 1 });
});

test.each([
  [{ min: 1, max: 1 }, { min: 1, max: 1 }, 1],
  [{ min: 1, max: 3 }, { min: 2, max: 5 }, 3],
  [{ min: 4, max: 5 }, { min: 1, max: 4 }, 4],
  [{ min: 2, max: 3 }, { min: 4, max: 5 }, undefined],
  [{ min: 3, max: 1 }, { min: 1, max: 3 }, undefined],
])("%j and %j agree on %s", (a, b, expected) => {
  expect(highestCommonVersion(a, b)).toBe(expected);
});

test("the version is in both ranges, the highest such, and the same from either side", () => {
  const range = fc.tuple(fc.nat(20), fc.nat(20)).map(([min, more]) => ({ min, max: min + more }));
  fc.assert(
    fc.property(range, range, (a, b) => {
      const version = highestCommonVersion(a, b);
      expect(highestCommonVersion(b, a)).toBe(version);
      const common = Array.from({ length: 41 }, (_, n) => n).filter(
        (n) => n >= a.min && n <= a.max && n >= b.min && n <= b.max,
      );
      expect(version).toBe(common.at(-1));
    }),
  );
});
