import { countWords } from "./count-words.js";

/** Lines (as `wc` counts them), words and characters of `text`. */
export function countText(text) {
  return {
    lines: text.split("\n").length - 1,
    words: countWords(text),
    characters: [...text].length,
  };
}
