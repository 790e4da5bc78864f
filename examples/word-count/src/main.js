#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { countText } from "./count-text.js";
import { topWords } from "./top-words.js";

const { values, positionals } = parseArgs({
  options: { top: { type: "string" } },
  allowPositionals: true,
});
const text = readFileSync(positionals[0] ?? 0, "utf8");
const { lines, words, characters } = countText(text);
console.log(`${lines} lines, ${words} words, ${characters} characters`);
for (const { word, count } of topWords(text, Number(values.top ?? 0))) {
  console.log(`${String(count).padStart(6)}  ${word}`);
}
