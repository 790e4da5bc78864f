import type { IncomingHttpHeaders } from "node:http";

import type { ModelCall } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";
import {
  costOf,
  KeyRedactor,
  MODEL_PRICES,
  type ModelPrice,
  providerFailure,
} from "@agentos/runtimes";

import { type AnswerFacts, noFacts } from "./meters/answer-facts.ts";
import type { AnswerFormat } from "./model-paths.ts";
import type { ProviderTarget } from "./provider-target.ts";
import type { SessionRoute } from "./session-route.ts";

interface Ending {
  readonly httpStatus: number;
  readonly facts: Readonly<AnswerFacts>;
  readonly error?: AgentOsError | undefined;
}

/** What a request's path says of it. */
interface CallPath {
  /** Undefined: it is no call of a model, and nobody is told of it. */
  readonly format: AnswerFormat | undefined;
  readonly model: string | undefined;
}

/** Tells the engine of one call, once: how it ended, and what it used. */
export class CallRecord {
  readonly #route: SessionRoute;
  readonly #model: string | undefined;
  readonly #prices: readonly ModelPrice[];
  #isTold: boolean;

  constructor(route: SessionRoute, { format, model }: CallPath, prices = MODEL_PRICES) {
    this.#route = route;
    this.#model = model;
    this.#prices = prices;
    this.#isTold = format === undefined;
  }

  /** The answer has told all that it tells. */
  whole(httpStatus: number, facts: Readonly<AnswerFacts>): void {
    const { error: said } = facts;
    const error = said === undefined ? undefined : this.#failure(said);
    this.#tell({ httpStatus, facts, error });
  }

  /** The provider has refused it. */
  refused(httpStatus: number, headers: IncomingHttpHeaders, body: string): void {
    const text = Object.entries(headers).flatMap(([name, value]) =>
      typeof value === "string" ? [[name, value] as const] : [],
    );
    const error = this.#failure({
      message: reasonOf(body),
      statusCode: httpStatus,
      responseHeaders: Object.fromEntries(text),
      responseBody: body,
    });
    this.#tell({ httpStatus, facts: noFacts(), error });
  }

  /** There was no answer, or not all of it. */
  broken(httpStatus: number, facts: Readonly<AnswerFacts> | undefined, reason: string): void {
    const provider = this.#route.target.name;
    const message = `${provider} failed: ${reason}`;
    const error = new AgentOsError("PROVIDER_FAILED", message, { provider, reason });
    this.#tell({ httpStatus, facts: facts ?? noFacts(), error });
  }

  /** Who asked has gone. */
  abandoned(httpStatus: number, facts: Readonly<AnswerFacts> | undefined): void {
    const operation = "a model call";
    const error = new AgentOsError("CANCELLED", "the agent gave a model call up", { operation });
    this.#tell({ httpStatus, facts: facts ?? noFacts(), error });
  }

  #failure(error: object): AgentOsError {
    const { target } = this.#route;
    return providerFailure(error, target.name, new KeyRedactor(keyOf(target)));
  }

  #tell({ httpStatus, facts, error }: Ending): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { tokens, hasToolCalls } = facts;
    const model = facts.model ?? this.#model;
    const { isPriced } = this.#route.target;
    const costUsd = isPriced && model !== undefined ? costOf(this.#prices, model, tokens) : null;
    const usage = { ...tokens, costUsd };
    const call: ModelCall = { model: model ?? null, usage, hasToolCalls, httpStatus, error };
    this.#route.called(call);
  }
}

/** What is never told. */
export function keyOf({ credential }: ProviderTarget): string | undefined {
  return credential.kind === "api_key" ? credential.key : undefined;
}

/** A provider's own words, where they are where providers put them. */
function reasonOf(body: string): string {
  return /"message"\s*:\s*"((?:[^"\\]|\\.){1,1000})"/.exec(body)?.[1] ?? body.slice(0, 200);
}
