/** What can be told from a test run's output. */
export interface TestOutput {
  readonly failed: boolean;
  readonly passes: number | undefined;
  readonly failures: number | undefined;
  /** The test files that it names, relative to the project. */
  readonly files: readonly string[];
}

/** Reads what `npm test` prints; knows the reporters of node's test runner. */
export function readTestOutput(output: string): TestOutput {
  const failures = count(/[#ℹ] fail (\d+)/.exec(output));
  const passes = count(/[#ℹ] pass (\d+)/.exec(output));
  const failed =
    failures === undefined
      ? /\bnot ok\b|\bFAIL\b|npm (?:ERR|error)|exit(?:ed with)? code:? [1-9]/i.test(output)
      : failures > 0;
  const files = output.matchAll(/\btests?\/[\w./-]+\.[cm]?[jt]s\b/g);
  return { failed, passes, failures, files: [...new Set([...files].map(([path]) => path))] };
}

function count(match: RegExpExecArray | null): number | undefined {
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
