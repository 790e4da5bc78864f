import { defineConfig } from "vitest/config";

import { madeUpUser } from "./tooling/conformance/src/made-up-user.ts";
import { UsersReporter } from "./tooling/conformance/src/users-reporter.ts";
import { linuxDriverMissing, linuxDriverMissingFor } from "./tooling/linux-driver-missing.ts";
import { LongestFirst } from "./tooling/longest-first.ts";
import { TallyReporter } from "./tooling/tally-reporter.ts";

const conditions = ["@agentos/source", "node", "import", "default"];
const tallyFile = process.env["AGENTOS_TALLY_FILE"];

const missing = linuxDriverMissing();
const missingForOthers = linuxDriverMissingFor(madeUpUser());
/** What makes real VMs through the linux driver. */
const needsLinux = [
  "apps/cli/test/*.e2e.test.ts",
  "examples/**",
  "packages/client/test/**/*.e2e.test.ts",
  "packages/sidecar/test/adoption.e2e.test.ts",
  "packages/vm/test/*.e2e.test.ts",
  "packages/vm/test/{cgroup,native}/*.e2e.test.ts",
  "tooling/conformance/test/scenarios/**",
  "tooling/documents/test/examples-run.e2e.test.ts",
  "tooling/packages/test/installed.e2e.test.ts",
];
/** What root does as somebody else. */
const needsOthers = ["tooling/conformance/test/made-up-user/**"];

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: [
      "default",
      new UsersReporter({ missing, missingForOthers }),
      ...(tallyFile === undefined ? [] : [new TallyReporter(tallyFile)]),
    ],
    projects: [
      {
        ssr: { resolve: { conditions } },
        test: {
          name: "unit",
          include: ["{packages,apps,tooling}/*/test/**/*.test.ts"],
          exclude: [
            "**/*.e2e.test.ts",
            "**/*.chaos.test.ts",
            "**/*.full.test.ts",
            "**/*.agents.test.ts",
            "**/node_modules/**",
          ],
          // Much of it waits for processes and timers: two cores are not too few for two.
          maxWorkers: 2,
          // A file leaves nothing behind, so that modules are loaded once for all: half of the processor time.
          isolate: false,
          sequence: { groupOrder: 1 },
          testTimeout: 20_000,
          // What only a hang could miss: the machine may be busy.
          expect: { poll: { timeout: 10_000 } },
        },
      },
      {
        test: {
          name: "e2e",
          env: { AGENTOS_DRIVERS_HERE: missing === undefined ? "linux virtual" : "virtual" },
          include: ["{packages,apps,tooling,examples}/*/test/**/*.e2e.test.ts"],
          exclude: [
            "**/node_modules/**",
            ...(missing === undefined ? [] : needsLinux),
            ...(missingForOthers === undefined ? [] : needsOthers),
          ],
          // Real processes, which mostly wait: after the unit project, as many on any machine. Two leave a fifth of two cores idle.
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // The long forms of what the e2e project does in short: by `npm run test:chaos` only.
        test: {
          name: "chaos",
          include: ["tooling/*/test/**/*.chaos.test.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 600_000,
          hookTimeout: 60_000,
        },
      },
      {
        // The long form of what the e2e project does in short: by `npm run test:packages` only.
        test: {
          name: "packages",
          include: ["tooling/*/test/**/*.full.test.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 4 },
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        // Real agents from the npm registry, in VMs: by `npm run test:agents` only.
        test: {
          name: "agents",
          include: ["tooling/*/test/**/*.agents.test.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 5 },
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
