/** What can be told from a test run's output. */
export interface TestOutput {
  /** `unclear` when the output says nothing of it. */
  readonly outcome: "passed" | "failed" | "unclear";
  readonly passes: number | undefined;
  readonly failures: number | undefined;
  /** The test files that it names, relative to the project. */
  readonly files: readonly string[];
}

/** Reads what `npm test` prints; knows the reporters of node's test runner. */
export function readTestOutput(output: string): TestOutput {
  const failures = count(/[#ℹ] fail (\d+)/.exec(output));
  const passes = count(/[#ℹ] pass (\d+)/.exec(output));
  const files = output.matchAll(/\btests?\/[\w./-]+\.[cm]?[jt]s\b/g);
  return {
    outcome: outcomeOf(output, failures),
    passes,
    failures,
    files: [...new Set([...files].map(([path]) => path))],
  };
}

function outcomeOf(output: string, failures: number | undefined): TestOutput["outcome"] {
  if (failures !== undefined) return failures > 0 ? "failed" : "passed";
  return /\bnot ok\b|\bFAIL\b|npm (?:ERR|error)/i.test(output) ? "failed" : "unclear";
}

function count(match: RegExpExecArray | null): number | undefined {
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
