import assert from "node:assert/strict";
import { test } from "node:test";

import { topWords } from "../src/top-words.js";

test("finds the commonest words", () => {
  assert.deepEqual(topWords("the cat and the hat and the bat", 2), [
    { word: "the", count: 3 },
    { word: "and", count: 2 },
  ]);
});

test("case and punctuation do not matter", () => {
  assert.deepEqual(topWords("Don't. don't! DON'T?", 5), [{ word: "don't", count: 3 }]);
});

test("ties are in alphabetical order", () => {
  assert.deepEqual(
    topWords("pear apple fig", 3).map(({ word }) => word),
    ["apple", "fig", "pear"],
  );
});
