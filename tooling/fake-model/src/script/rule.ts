import type { ModelRequest } from "../conversation/model-request.ts";
import type { HttpFault } from "./http-fault.ts";
import type { ReplyOptions } from "./reply-options.ts";
import type { ReplyPart } from "./reply-part.ts";

/** Whether a rule is meant for a request. */
export type Match = (request: ModelRequest) => boolean;

type Parts = ReplyPart | readonly ReplyPart[];

/** What a rule does with a request. */
export type Answer =
  | { readonly type: "reply"; readonly parts: readonly ReplyPart[]; readonly options: ReplyOptions }
  | { readonly type: "fault"; readonly fault: HttpFault };

/** One line of a script. */
export interface Rule {
  readonly matches: Match;
  /** How many requests it answers; `Infinity` by default. */
  readonly times: number;
  readonly answer: (request: ModelRequest) => Answer;
}

/** A rule that says so far what it is for. */
export interface RuleStart {
  /** Answers so many requests, then the rules after it get them. */
  times(count: number): RuleStart;
  /** Answers with these parts, or with what a function makes of the request. */
  reply(parts: Parts | ((request: ModelRequest) => Parts), options?: ReplyOptions): Rule;
  /** Does not answer. */
  fail(fault: HttpFault | ((request: ModelRequest) => HttpFault)): Rule;
}

/** A model's behaviour: the first rule that matches a request answers it. */
export interface Script {
  readonly rules: readonly Rule[];
}

/** Rules in order. What none matches is answered with 400, naming the request. */
export function script(rules: readonly Rule[]): Script {
  return { rules };
}

/** Begins a rule: `when(lastUserText(/hello/)).reply(text("Hi."))`. */
export function when(matches: Match): RuleStart {
  return start(matches, Infinity);
}

/** Begins a rule for every request that no rule before it took. */
export function otherwise(): RuleStart {
  return when(() => true);
}

function start(matches: Match, times: number): RuleStart {
  return {
    times: (count) => start(matches, count),
    reply: (parts, options = {}) => ({
      matches,
      times,
      answer: (request) => {
        const made = typeof parts === "function" ? parts(request) : parts;
        return { type: "reply", parts: "type" in made ? [made] : made, options };
      },
    }),
    fail: (fault) => ({
      matches,
      times,
      answer: (request) => ({
        type: "fault",
        fault: typeof fault === "function" ? fault(request) : fault,
      }),
    }),
  };
}
