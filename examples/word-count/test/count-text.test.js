import assert from "node:assert/strict";
import { test } from "node:test";

import { countText } from "../src/count-text.js";

test("counts lines, words and characters", () => {
  assert.deepEqual(countText("to be or\nnot to be"), { lines: 1, words: 6, characters: 18 });
});

test("a character beyond 16 bits is one character", () => {
  assert.equal(countText("one 🐚").characters, 5);
});

test("white space around the text is no word", () => {
  assert.equal(countText("  to be\n").words, 2);
});
