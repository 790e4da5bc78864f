import { InvalidArgumentError } from "commander";

/** A parser for repeated `NAME=value`; a bare `NAME` takes the value that `host` has. */
export function environmentParser(host: Readonly<Record<string, string | undefined>>) {
  return (text: string, previous: Readonly<Record<string, string>> | undefined) => {
    const split = text.indexOf("=");
    const name = split === -1 ? text : text.slice(0, split);
    if (name === "") throw new InvalidArgumentError("Expected NAME=value.");
    const value = split === -1 ? host[name] : text.slice(split + 1);
    if (value === undefined) {
      throw new InvalidArgumentError(`Expected NAME=value: ${name} is not set here.`);
    }
    return Object.fromEntries([...Object.entries(previous ?? {}), [name, value]]);
  };
}

/** A parser for repeated `NAME=value`. */
export function variableParser(
  text: string,
  previous: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const split = text.indexOf("=");
  if (split < 1) throw new InvalidArgumentError("Expected NAME=value.");
  const added = [text.slice(0, split), text.slice(split + 1)];
  return Object.fromEntries([...Object.entries(previous ?? {}), added]);
}
