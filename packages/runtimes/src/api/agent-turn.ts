import type { RuntimeTurn, RuntimeTurnResult } from "@agentos/core";
import { AgentOsError, type SessionSpec } from "@agentos/protocol";

import { type ApiParts, countStep } from "./api-parts.ts";
import { callModel } from "./call-model.ts";
import { callUsage } from "./call-usage.ts";
import { compactLog } from "./compact-log.ts";
import type { ModelStep } from "./model-step.ts";
import { promptMessages } from "./prompt-messages.ts";
import { runTools } from "./run-tools.ts";
import { uniqueId } from "./unique-id.ts";

/** The tool whose input is the turn's structured output. */
export const FINISH_TOOL = "finish";

/** Model calls and tools, one after the other, until the model is done. */
export class AgentTurn {
  readonly #parts: ApiParts;
  readonly #turn: RuntimeTurn;
  #badSteps = 0;
  #emptySteps = 0;

  constructor(parts: ApiParts, turn: RuntimeTurn) {
    this.#parts = parts;
    this.#turn = turn;
  }

  /** Rejects as `callModel` does, and with `BUDGET_EXHAUSTED`. */
  async run(): Promise<RuntimeTurnResult> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- Each step is made of the last one.
      await compactLog(this.#parts, this.#turn.turnId, this.#turn.signal);
      // oxlint-disable-next-line no-await-in-loop -- Each step is made of the last one.
      const step = await this.#call();
      this.#keep(step);
      // oxlint-disable-next-line no-await-in-loop -- Each step is made of the last one.
      const end = await this.#after(step);
      if (end !== undefined) return end;
      this.#turn.signal.throwIfAborted();
    }
  }

  async #call(): Promise<ModelStep> {
    const { access, system, log, host, share } = this.#parts;
    // The whole conversation is put into words for the provider.
    await share.turn(this.#turn.signal);
    const used = new Set(
      log.messages.flatMap((each) =>
        each.role === "tool" ? each.results.map(({ callId }) => callId) : [],
      ),
    );
    return await callModel(this.#parts, {
      prompt: promptMessages(access.provider, system, log.messages),
      told: (type, delta) => host.emit({ type, delta }),
      newId: (given) => uniqueId(given, used),
      signal: this.#turn.signal,
    });
  }

  /** Durable before anything is made of it, and counted. Throws `BUDGET_EXHAUSTED`. */
  #keep(step: ModelStep): void {
    // Thoughts alone are no answer, and no provider takes them for one.
    if (step.calls.length > 0 || step.text.trim() !== "") {
      const { totalTokens } = callUsage(step.usage);
      this.#parts.log.append({
        role: "assistant",
        parts: [...step.parts],
        contextTokens: totalTokens,
      });
    }
    countStep(this.#parts, step, isEmpty(step) || step.finish === "error");
  }

  /** How the turn ends after a step; undefined where it goes on. */
  async #after(step: ModelStep): Promise<RuntimeTurnResult | undefined> {
    const { finish, text, calls } = step;
    if (finish === "content-filter") return { stopReason: "refusal", text };
    if (calls.length > 0) return await this.#tools(step);
    if (finish === "length") return { stopReason: "max_tokens", text };
    if (finish === "error") return this.#bad("the provider calls it an error");
    if (!isEmpty(step)) return { stopReason: "end_turn", text };
    this.#emptySteps += 1;
    const limit = this.#parts.limits.emptySteps;
    if (limit === 0 || this.#emptySteps < limit) return undefined;
    return unusable(`${this.#emptySteps} answers in a row without a word or a tool`);
  }

  async #tools({ calls, text }: ModelStep): Promise<RuntimeTurnResult | undefined> {
    const { host, names, log, spec, share } = this.#parts;
    this.#emptySteps = 0;
    await share.turn(this.#turn.signal);
    const results = await runTools(host, names, calls, this.#turn.signal);
    log.append({ role: "tool", results });
    const output = outputOf(spec, calls, results);
    if (output !== undefined) return { stopReason: "end_turn", text, output };
    const bad = calls.find(({ malformed, wireName }) => {
      return malformed !== undefined || !names.knows(wireName);
    });
    if (bad !== undefined) return this.#bad(bad.malformed ?? `there is no tool ${bad.wireName}`);
    this.#badSteps = 0;
    return undefined;
  }

  #bad(why: string): RuntimeTurnResult | undefined {
    this.#badSteps += 1;
    const limit = this.#parts.limits.badSteps;
    if (limit === 0 || this.#badSteps < limit) return undefined;
    return unusable(`${this.#badSteps} answers in a row that can't be used; the last one: ${why}`);
  }
}

/** Without a word and without a tool: the model is asked again. */
function isEmpty({ text, calls, finish }: ModelStep): boolean {
  const isOver = finish === "content-filter" || finish === "length";
  return calls.length === 0 && text.trim() === "" && !isOver;
}

function outputOf(
  spec: SessionSpec,
  calls: ModelStep["calls"],
  results: readonly { callId: string; outcome: string }[],
): ModelStep["calls"][number]["input"] | undefined {
  if (spec.outputSchema === undefined) return undefined;
  const done = new Set(
    results.filter(({ outcome }) => outcome === "ok").map(({ callId }) => callId),
  );
  return calls.findLast(({ callId, wireName }) => wireName === FINISH_TOOL && done.has(callId))
    ?.input;
}

/** Not retryable: the same again gives the same again. */
function unusable(reason: string): RuntimeTurnResult {
  const message = `the model gave ${reason}`;
  const error = new AgentOsError("PROTOCOL_ERROR", message, { reason });
  return { stopReason: "error", text: "", error };
}
