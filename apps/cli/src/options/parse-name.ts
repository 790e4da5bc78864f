import { InvalidArgumentError } from "commander";

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** A VM's name. */
export function parseName(text: string): string {
  if (!NAME.test(text)) {
    throw new InvalidArgumentError(
      "Expected 1 to 63 characters of a-z 0-9 _ -, not starting with _ or -.",
    );
  }
  return text;
}
