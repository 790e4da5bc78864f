import type { BrokerCommandOptions } from "./run-broker.ts";

/** The broker's command line, as old clients write it: `init --name NAME --channels a,b`. */
export interface BrokerArguments extends BrokerCommandOptions {
  readonly name?: string;
  readonly channels: readonly string[];
  readonly help?: boolean;
}

const VALUES = ["--name", "--channels", "--api-port", "--driver"] as const;
const FLAGS = ["--copy", "--persist", "--help"] as const;

/** Throws an `Error` whose message says which argument is not understood. */
export function parseBrokerArguments(args: readonly string[]): BrokerArguments {
  const [first, ...rest] = args;
  const words = first === "init" ? rest : [...args];
  const values = new Map<string, string>();
  const flags = new Set<string>();
  for (let index = 0; index < words.length; index += 1) {
    const [name, joined] = split(words[index] ?? "");
    if (FLAGS.some((flag) => flag === name)) flags.add(name);
    else if (VALUES.some((value) => value === name)) {
      const value = joined ?? words[(index += 1)];
      if (value === undefined) throw new Error(`expected a value after ${name}`);
      values.set(name, value);
    } else
      throw new Error(`unknown argument ${name}: expected ${[...VALUES, ...FLAGS].join(", ")}`);
  }
  const port = values.get("--api-port") ?? "0";
  if (port !== "0") throw new Error(`expected --api-port 0, got ${port}: there is no HTTP API`);
  const [name, driver] = [values.get("--name"), values.get("--driver")];
  return {
    channels: (values.get("--channels") ?? "general").split(",").filter((each) => each !== ""),
    copy: flags.has("--copy"),
    persist: flags.has("--persist"),
    help: flags.has("--help"),
    ...(name === undefined ? {} : { name }),
    ...(driver === undefined ? {} : { driver }),
  };
}

function split(word: string): [string, string?] {
  const at = word.indexOf("=");
  return word.startsWith("--") && at !== -1 ? [word.slice(0, at), word.slice(at + 1)] : [word];
}
