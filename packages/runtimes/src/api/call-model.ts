import type { LanguageModelV4Prompt } from "@ai-sdk/provider";
import { AgentOsError, DEFAULTS, isAgentOsError } from "@agentos/protocol";

import { type ApiParts, callOptions } from "./api-parts.ts";
import { type ModelStep, StepBuilder, type StepListener } from "./model-step.ts";
import { providerFailure } from "./provider-failure.ts";

/** A rate limit that ends sooner is waited for within the step. */
const LONGEST_SOFT_WAIT_MS = 20_000;
/** Where the provider does not say how long: doubled each time. */
const SOFT_WAIT_MS = 1_000;

/** Different warnings of the SDK that one session tells: some have a piece of the conversation in them. */
const MAX_WARNINGS = 10;

export interface ModelCall {
  readonly prompt: LanguageModelV4Prompt;
  readonly told: StepListener["told"];
  readonly newId: (given: string) => string;
  /** The model may call no tool. */
  readonly isPlain?: boolean;
  readonly signal: AbortSignal;
}

/** A model call that was cut off by the turn's end, with what the model had said. */
export class CallCancelled extends Error {
  readonly text: string;

  constructor(text: string) {
    super("the model call was cancelled");
    this.text = text;
  }
}

/**
 * One model call to its end; short rate limits are waited for. Rejects with `RATE_LIMITED`,
 * `PROVIDER_REFUSED`, `PROVIDER_FAILED`, or `CallCancelled`.
 */
export async function callModel(parts: ApiParts, call: ModelCall): Promise<ModelStep> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- One try after the other.
      return await callOnce(parts, call);
    } catch (error) {
      if (error instanceof CallCancelled) throw error;
      const waitMs = softWaitMs(parts, error, attempt);
      if (waitMs === undefined) throw error;
      // oxlint-disable-next-line no-await-in-loop -- One try after the other.
      await parts.wait(waitMs, call.signal);
    }
  }
}

/** How long to wait before the next try; undefined where there is none. Tells of the rate limit. */
function softWaitMs({ spec, host }: ApiParts, error: unknown, attempt: number): number | undefined {
  if (!isAgentOsError(error, "RATE_LIMITED")) return undefined;
  const { resetAt } = error.details;
  const { stepIdleMs = DEFAULTS.stepIdleMs, inactivityMs = DEFAULTS.inactivityMs } =
    spec.timeouts ?? {};
  // Half of what a step may be silent for, where that is bounded.
  const patience = [stepIdleMs, inactivityMs].filter((ms) => ms > 0).map((ms) => ms / 2);
  const longestMs = Math.min(LONGEST_SOFT_WAIT_MS, ...patience);
  const waitMs =
    resetAt === null
      ? SOFT_WAIT_MS * 2 ** (attempt - 1)
      : Math.max(0, Date.parse(resetAt) - Date.now());
  const hard = attempt > (spec.retries ?? DEFAULTS.turnRetries) || waitMs > longestMs;
  host.emit({ type: "rate_limit", resetAt, attempt, hard });
  return hard ? undefined : waitMs;
}

async function callOnce(parts: ApiParts, call: ModelCall): Promise<ModelStep> {
  const { model, redactor, access } = parts;
  const warned = (message: string): void => warnOnce(parts, redactor.text(message));
  const builder = new StepBuilder({ told: call.told, warned }, redactor, call.newId);
  try {
    call.signal.throwIfAborted();
    const { tools, ...options } = callOptions(parts);
    const { stream } = await model.doStream({
      ...options,
      ...(tools === undefined ? {} : { tools }),
      ...(tools === undefined || call.isPlain !== true ? {} : { toolChoice: { type: "none" } }),
      prompt: call.prompt,
      abortSignal: call.signal,
    });
    for await (const part of stream) builder.take(part);
    // What came after the abort is nobody's any more.
    call.signal.throwIfAborted();
    return builder.finished() ?? brokenOff(access.provider);
  } catch (error) {
    if (call.signal.aborted) throw new CallCancelled(builder.text);
    throw providerFailure(error, access.provider, redactor);
  }
}

function brokenOff(provider: string): never {
  const reason = "its answer ended in the middle";
  throw new AgentOsError("PROVIDER_FAILED", `${provider} failed: ${reason}`, { provider, reason });
}

function warnOnce({ warned, host }: ApiParts, message: string): void {
  if (warned.has(message) || warned.size >= MAX_WARNINGS) return;
  warned.add(message);
  host.emit({ type: "notice", message: `the provider's SDK warns: ${message}` });
}
