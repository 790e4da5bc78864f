import { createContext, runInContext } from "node:vm";

import { AgentOsError } from "@agentos/protocol";

/** What one look may take, also of a busy machine's time: an expression that backtracks without end must not stop the sidecar. */
const MATCH_MS = 250;

/** A regular expression that is held against a screen. */
export class ScreenPattern {
  readonly #context: ReturnType<typeof createContext>;

  /** Throws `INVALID_ARGUMENT`, named by `argument`. */
  constructor(source: string, argument: string) {
    try {
      this.#context = createContext({ pattern: new RegExp(source, "mu"), screen: "" });
    } catch (cause) {
      const expected = "a regular expression of JavaScript";
      const actual = JSON.stringify(source);
      const message = `${argument}: expected ${expected}, got ${actual}`;
      const details = { argument, expected, actual };
      throw new AgentOsError("INVALID_ARGUMENT", message, details, { cause });
    }
  }

  /** One that takes too long does not match. */
  matches(screen: string): boolean {
    this.#context["screen"] = screen;
    try {
      return runInContext("pattern.test(screen)", this.#context, { timeout: MATCH_MS }) === true;
    } catch {
      return false;
    }
  }
}
