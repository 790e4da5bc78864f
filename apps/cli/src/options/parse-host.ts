import { InvalidArgumentError } from "commander";

/** One more `--allow-host`; what a host may look like is the client's to judge. */
export function collectHost(text: string, hosts: readonly string[] | undefined): readonly string[] {
  if (text === "") throw new InvalidArgumentError("Expected a host, such as example.com:443.");
  return [...(hosts ?? []), text];
}
