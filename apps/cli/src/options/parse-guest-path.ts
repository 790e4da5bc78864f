import { InvalidArgumentError } from "commander";

/** An absolute path in a VM. */
export function parseGuestPath(text: string): string {
  if (!text.startsWith("/")) throw new InvalidArgumentError("Expected an absolute path in the VM.");
  return text;
}
