import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A test that says which ids it proves. */
export interface Claim {
  readonly file: string;
  readonly title: string;
  readonly ids: readonly string[];
  /** Whether its body checks anything. */
  readonly checks: boolean;
}

/** The tests that run on each driver. */
export const DRIVER_SCENARIOS = "tooling/conformance/test/drivers/";
/** The tests that run as each kind of user. */
export const SCENARIOS = "tooling/conformance/test/scenarios/";

const TEST_FILES = "{packages,apps,tooling,examples}/*/test/**/*.test.ts";
const TEST_CALL = /^[ \t]*(?:test|it)(?:\.\w+(?:\([^)]*\))?)*\(\s*(["'`])(.*?)\1/gm;
const CHECK = /\bexpect\w*[.(<]|\bassert\w*[.(]/;

/** The ids at the start of a test's title: `[P5] [P6] a new handle …`. */
export function idsOfTitle(title: string): string[] {
  const lead = /^(?:\[[\w.-]+\]\s*)+/.exec(title)?.[0] ?? "";
  return [...lead.matchAll(/\[([\w.-]+)\]/g)].map((match) => match[1] ?? "");
}

/** Every claim in the test files below `root`. */
export function readClaims(root: string): Claim[] {
  return globSync(TEST_FILES, { cwd: root, exclude: (name) => name === "node_modules" }).flatMap(
    (file) => claimsOf(file, readFileSync(join(root, file), "utf8")),
  );
}

function claimsOf(file: string, source: string): Claim[] {
  const calls = [...source.matchAll(TEST_CALL)];
  return calls.flatMap((call, index) => {
    const title = call[2] ?? "";
    const ids = idsOfTitle(title);
    if (ids.length === 0) return [];
    const body = source.slice(call.index, calls[index + 1]?.index);
    const skipped = /^[ \t]*(?:test|it)\.(?:skip|todo|fails)\b/.test(call[0]);
    return [{ file, title, ids, checks: !skipped && CHECK.test(body) }];
  });
}
