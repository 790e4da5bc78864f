import type { ModelRequest } from "../conversation/model-request.ts";
import type { Answer, Script } from "./rule.ts";

/** A script in use: how often each rule may still answer. */
export class ScriptRun {
  readonly #lines: { readonly rule: Script["rules"][number]; left: number }[];

  constructor({ rules }: Script) {
    this.#lines = rules.map((rule) => ({ rule, left: rule.times }));
  }

  /** The answer, and which rule gave it (from 0); undefined when none matches. */
  answer(request: ModelRequest): { readonly answer: Answer; readonly rule: number } | undefined {
    const index = this.#lines.findIndex(({ rule, left }) => left > 0 && rule.matches(request));
    const line = this.#lines[index];
    if (line === undefined) return undefined;
    line.left -= 1;
    return { answer: line.rule.answer(request), rule: index };
  }
}
