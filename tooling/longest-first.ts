import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take longest, the longest first: one that begins last keeps a processor waiting. */
const LONGEST = [
  "tooling/conformance/test/made-up-user/made-up-user.e2e.test.ts",
  "tooling/documents/test/examples-run.e2e.test.ts",
  "packages/vm/test/linux-adoption.e2e.test.ts",
  "apps/cli/test/session.e2e.test.ts",
  "apps/cli/test/agent.e2e.test.ts",
  "packages/vm/test/native/agent-adoption.test.ts",
];

/** The order of test files within each project. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- It is a method of the sequencer.
    const sorted = await super.sort(files);
    // Stable: the others stay as they are.
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const at = LONGEST.findIndex((name) => moduleId.endsWith(name));
  return at === -1 ? LONGEST.length : at;
}
