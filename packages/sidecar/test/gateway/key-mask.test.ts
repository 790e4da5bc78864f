import { describe, expect, test } from "vitest";
import { array, assert, nat, property } from "fast-check";

import { KeyMask } from "../../src/gateway/key-mask.ts";

const KEY = "sk-canary-1";

function masked(key: string | undefined, pieces: readonly Buffer[]): string {
  const mask = new KeyMask(key);
  return Buffer.concat([...pieces.map((piece) => mask.push(piece)), mask.end()]).toString();
}

describe("what passes", () => {
  test("[gateway.credentials] has stars where the key was, wherever it is cut", () => {
    const whole = Buffer.from(`{"a":"${KEY}","b":"sk-cana${KEY}${KEY.slice(0, 5)}"}`);
    const expected = whole.toString().replaceAll(KEY, "*".repeat(KEY.length));
    assert(
      property(array(nat(whole.byteLength)), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), whole.byteLength];
        const pieces = at.slice(1).map((end, index) => whole.subarray(at[index], end));
        expect(masked(KEY, pieces)).toBe(expected);
      }),
    );
  });

  test("[gateway.credentials] is as it was where there is no key, or one too short to be a secret", () => {
    const bytes = [Buffer.from("none of"), Buffer.from(" it")];
    expect(masked(undefined, bytes)).toBe("none of it");
    expect(masked("of", bytes)).toBe("none of it");
    expect(new KeyMask(KEY).text(`x ${KEY}`)).toBe("x ***********");
  });
});
