import { parseArgs } from "node:util";

/** What the bench is to do. */
export type BenchArguments =
  | { readonly kind: "help" }
  /** `message`: what was expected, and what came. */
  | { readonly kind: "wrong"; readonly message: string }
  | {
      readonly kind: "run";
      /** Where the JSON goes. */
      readonly json: string;
      /** Samples per variant. */
      readonly count: number;
      readonly rows: readonly string[];
    };

const OPTIONS = {
  json: { type: "string", default: "bench.json" },
  count: { type: "string", default: "200" },
  row: { type: "string", multiple: true },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** The lines that say how the bench is called. */
export function benchUsage(known: readonly string[]): string {
  return `usage: npm run bench -- [--row NAME]... [--count N] [--json FILE]

  --row NAME   only this row; repeat it for more (default: all but agent)
  --count N    samples per variant (default: ${OPTIONS.count.default})
  --json FILE  where the figures go as JSON (default: ${OPTIONS.json.default})
  -h, --help   this text

rows: ${known.join(", ")}
`;
}

/** `usual`: the rows where none is named. */
export function readBenchArguments(
  args: string[],
  known: readonly string[],
  usual = known,
): BenchArguments {
  let values;
  try {
    ({ values } = parseArgs({ args, options: OPTIONS }));
  } catch (error) {
    return wrong(error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error));
  }
  const { help, json, row: rows = [] } = values;
  if (help) return { kind: "help" };
  const unknown = rows.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    return wrong(`no row ${unknown.join(", ")}; there are: ${known.join(", ")}`);
  const count = Number(values.count);
  if (!Number.isSafeInteger(count) || count < 1)
    return wrong(`expected --count to be a whole number from 1, got "${values.count}"`);
  return { kind: "run", json, count, rows: rows.length > 0 ? rows : usual };
}

function wrong(message: string): BenchArguments {
  return { kind: "wrong", message };
}
