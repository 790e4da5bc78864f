/** How many words `text` has: runs of characters that are not white space. */
export function countWords(text) {
  return text.split(/\s+/).length;
}
