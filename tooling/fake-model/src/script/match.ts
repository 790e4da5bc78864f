import type { Match } from "./rule.ts";

/** The user's last text is this, or has this in it. */
export function lastUserText(wanted: string | RegExp): Match {
  return ({ lastUserText: said }) =>
    typeof wanted === "string" ? said === wanted : wanted.test(said);
}

/** Tools have answered since the model last spoke: all of these, where names are given. */
export function afterTools(...names: readonly string[]): Match {
  return ({ newResults }) =>
    newResults.length > 0 &&
    names.every((name) => newResults.some((call) => isNamed(call.name, name)));
}

/** The user has just spoken; no tool has been called since. */
export function atTurnStart(): Match {
  return ({ step }) => step === 0;
}

/** So many times the model has spoken since the user's last text. */
export function atStep(step: number): Match {
  return (request) => request.step === step;
}

/** The user has spoken so many times before. */
export function atTurn(turn: number): Match {
  return (request) => request.turn === turn;
}

/** The system prompt has this in it. */
export function systemPrompt(wanted: RegExp): Match {
  return ({ system }) => wanted.test(system);
}

/** The request is for this model. */
export function forModel(model: string): Match {
  return (request) => request.model === model;
}

/** A tool of this name, or ending in it, is offered. */
export function offersTool(name: string): Match {
  return ({ tools }) => tools.some((tool) => isNamed(tool.name, name));
}

/** All of these hold. */
export function all(...matches: readonly Match[]): Match {
  return (request) => matches.every((match) => match(request));
}

/** Whether `name` is `wanted`, or `wanted` behind a server's name. */
export function isNamed(name: string, wanted: string): boolean {
  return (
    name === wanted ||
    name.endsWith(`__${wanted}`) ||
    name.endsWith(`.${wanted}`) ||
    name.endsWith(`agentos_${wanted}`)
  );
}
