/** The arguments of a call; the text itself where it is not JSON. */
export function parseArguments(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    // Kept as it is: a rule may look for just this.
    return text;
  }
}
