import { InvalidArgumentError } from "commander";

/** What is said to an agent: something. */
export function parsePrompt(text: string): string {
  if (text.trim() !== "") return text;
  throw new InvalidArgumentError("Expected a prompt that says something.");
}
