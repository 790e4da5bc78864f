import type { Reporter, TestModule } from "vitest/node";

import { idsOfTitle } from "./claims.ts";

/** Says at the end of a run which conformance ids were left out, so that a green run never hides it. */
export class NotRunReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const ran = new Set<string>();
    const leftOut = new Set<string>();
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const ids = test.result().state === "skipped" ? leftOut : ran;
        for (const id of idsOfTitle(test.name)) ids.add(id);
      }
    }
    const missing = [...leftOut].filter((id) => !ran.has(id)).toSorted();
    if (missing.length === 0) return;
    process.stdout.write(
      `\nNOT RUN: ${missing.length} conformance ids, because what they need is missing here:\n  ${missing.join(" ")}\n`,
    );
  }
}
