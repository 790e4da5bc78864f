import type { LanguageModelV4, LanguageModelV4CallOptions } from "@ai-sdk/provider";
import type { RuntimeHost } from "@agentos/core";
import type { SessionSpec, Usage } from "@agentos/protocol";

import { costOf } from "../prices/cost-of.ts";
import type { ModelPrice } from "../prices/model-prices.ts";
import type { ApiLimits } from "./api-limits.ts";
import { callUsage } from "./call-usage.ts";
import type { FairShare } from "./fair-share.ts";
import type { KeyRedactor } from "./key-redactor.ts";
import type { MessageLog } from "./message-log.ts";
import type { ModelStep } from "./model-step.ts";
import type { ProviderAccess } from "./provider-model.ts";
import type { ToolNames } from "./tool-names.ts";

/** What one open conversation with a model works with. */
export interface ApiParts {
  readonly spec: SessionSpec;
  readonly host: RuntimeHost;
  readonly access: ProviderAccess;
  readonly model: LanguageModelV4;
  readonly system: string;
  readonly names: ToolNames;
  readonly log: MessageLog;
  readonly redactor: KeyRedactor;
  readonly prices: readonly ModelPrice[];
  readonly limits: ApiLimits;
  /** With the other sessions of the sidecar. */
  readonly share: FairShare;
  /** Resolves after so long, or at the abort. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Warnings of the SDK that were told already: each comes with every call. */
  readonly warned: Set<string>;
}

/** What every call of the session's model is made with. */
export function callOptions({
  spec,
  access,
  names,
}: ApiParts): Omit<LanguageModelV4CallOptions, "prompt"> {
  const tools = names.tools.map(({ wireName, info }) => ({
    type: "function" as const,
    name: wireName,
    description: info.description,
    inputSchema: info.inputSchema,
  }));
  const thinking = spec.thinking === "off" ? "none" : spec.thinking;
  return {
    ...(tools.length === 0 ? {} : { tools }),
    ...(spec.maxOutputTokens === undefined ? {} : { maxOutputTokens: spec.maxOutputTokens }),
    ...(thinking === undefined ? {} : { reasoning: thinking }),
    providerOptions: providerOptions(access.provider, (thinking ?? "none") !== "none"),
  };
}

/** OpenAI keeps nothing: the conversation is ours. Thoughts are told where they were asked for. */
function providerOptions(
  provider: ProviderAccess["provider"],
  isThinking: boolean,
): NonNullable<LanguageModelV4CallOptions["providerOptions"]> {
  if (provider === "openai") {
    return { openai: { store: false, ...(isThinking ? { reasoningSummary: "auto" } : {}) } };
  }
  if (provider === "gemini" && isThinking) {
    return { google: { thinkingConfig: { includeThoughts: true } } };
  }
  return {};
}

/** Counts a model call. Throws `BUDGET_EXHAUSTED`, where `goesOn` says that another one follows too. */
export function countStep(
  { host, access, prices }: ApiParts,
  { usage: told, calls }: Pick<ModelStep, "usage" | "calls">,
  goesOn: boolean,
): void {
  const tokens = callUsage(told);
  // A server of one's own has its own prices, whatever its models are called.
  const isPriced = access.provider !== "openai-compatible";
  const costUsd = isPriced ? costOf(prices, access.model, tokens) : null;
  const usage: Usage = { ...tokens, costUsd };
  host.modelCalled({ usage, model: access.model, hasToolCalls: calls.length > 0, goesOn });
}
