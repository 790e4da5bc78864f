import { InvalidArgumentError } from "commander";

/** A VM's id or name. */
export function parseVm(text: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(text)) {
    throw new InvalidArgumentError("Expected a VM's name or id (see agentos ps).");
  }
  return text;
}
