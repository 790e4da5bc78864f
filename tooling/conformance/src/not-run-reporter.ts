import type { Reporter } from "vitest/node";

import { requirements } from "./requirements.ts";

/** Says at the end which conformance ids were left out, so that a green run never hides it. */
export class NotRunReporter implements Reporter {
  readonly #reason: string;

  constructor(reason: string) {
    this.#reason = reason;
  }

  onTestRunEnd(): void {
    const ids = requirements.filter(({ needs }) => needs === "linux").map(({ id }) => id);
    process.stdout.write(
      `\nNOT RUN: ${ids.length} conformance ids and the tests of real VMs, because ${this.#reason}:\n  ${ids.join(" ")}\n`,
    );
  }
}
