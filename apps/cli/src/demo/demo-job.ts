import type { VmInfo } from "@agentos/client";

import { DEMO_FIX } from "./demo-project.ts";

interface Result {
  readonly exitCode: number;
  readonly said: string;
}

/** What the demo runs in its VM, before and after the change. */
export interface DemoJob {
  readonly title: string;
  readonly again: string;
  readonly command: readonly string[];
  /** An agent can do the change: it can run the tests. */
  readonly forAgent: boolean;
  readonly before: Result;
  readonly after: Result;
}

const TESTS: DemoJob = {
  title: "A project of examples/, copied in, its tests run there",
  again: "One file changed from outside, and the tests again",
  command: ["node", "--test", "--test-reporter=spec"],
  forAgent: true,
  before: { exitCode: 1, said: "one fails: there is a bug" },
  after: { exitCode: 0, said: "all of them pass" },
};

/** For a VM that has no Node. */
const SEARCH: DemoJob = {
  title: "A smaller job: a project of examples/, copied in, and its bug looked for",
  again: "One file changed from outside, and the search again",
  command: ["grep", "-rnF", DEMO_FIX.wrong, "src"],
  forAgent: false,
  before: { exitCode: 0, said: "there is the bug" },
  after: { exitCode: 1, said: "it is gone" },
};

/** The job that a VM of this driver can do. */
export function demoJobFor({ driver }: VmInfo): DemoJob {
  return driver === "virtual" ? SEARCH : TESTS;
}
