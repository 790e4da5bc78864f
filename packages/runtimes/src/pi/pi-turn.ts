import type { RuntimeHost, RuntimeTurnResult } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import type { PiLine, PiMessage } from "./pi-message.ts";
import type { PiTools } from "./pi-tools.ts";

export interface PiTurnOptions {
  readonly host: RuntimeHost;
  readonly tools: PiTools;
  readonly signal: AbortSignal;
  /** How its model failed in this turn, as the gateway saw it. */
  readonly failure: () => AgentOsError | undefined;
}

/** One turn of Pi, from its prompt until it has settled: it may run several times before that. */
export class PiTurn {
  readonly #options: PiTurnOptions;
  readonly #ended = Promise.withResolvers<RuntimeTurnResult>();
  #last: PiMessage | undefined;

  constructor(options: PiTurnOptions) {
    this.#options = options;
  }

  get ended(): Promise<RuntimeTurnResult> {
    return this.#ended.promise;
  }

  take(line: PiLine): void {
    const { host, tools } = this.#options;
    if (line.type === "message_update") {
      const { type, delta = "" } = line.assistantMessageEvent;
      if (type === "text_delta" && delta !== "") host.emit({ type: "text", delta });
      if (type === "thinking_delta" && delta !== "") host.emit({ type: "thought", delta });
    } else if (line.type === "message_end") {
      if (line.message.role === "assistant") this.#last = line.message;
    } else if (line.type === "tool_execution_update") {
      tools.wrote(line.toolCallId, textOf(line.partialResult.content ?? []));
    } else if (line.type === "tool_execution_end") {
      tools.ended(line);
    } else if (line.type === "agent_settled") {
      this.#ended.resolve(this.#result());
    }
  }

  /** The program is gone. */
  gone(error: AgentOsError, isBegun: boolean): void {
    this.#ended.resolve({ stopReason: "error", text: "", error, aborted: !isBegun });
  }

  #result(): RuntimeTurnResult {
    const { signal, failure } = this.#options;
    const { stopReason, errorMessage, content = "" } = this.#last ?? {};
    const text = (typeof content === "string" ? content : textOf(content)).trim();
    if (signal.aborted) return { stopReason: "cancelled", text };
    const seen = failure();
    if (seen !== undefined || stopReason === "error") {
      const error = seen ?? failed(errorMessage ?? "it gave no reason");
      return {
        stopReason: error.code === "RATE_LIMITED" ? "rate_limit" : "error",
        text: "",
        error,
      };
    }
    if (stopReason === "aborted") return { stopReason: "cancelled", text };
    return { stopReason: stopReason === "length" ? "max_tokens" : "end_turn", text };
  }
}

function textOf(content: readonly { text?: string | undefined }[]): string {
  return content.flatMap(({ text }) => text ?? []).join("\n");
}

/** Its words begin with the status of the answer. */
function failed(reason: string): AgentOsError {
  const status = Number(/^(\d{3})\b/.exec(reason)?.[1] ?? Number.NaN);
  if (status === 429) {
    const message = `pi: the model's rate limit is used up: ${reason}`;
    return new AgentOsError("RATE_LIMITED", message, { provider: "pi", resetAt: null });
  }
  if (status >= 400 && status < 500) {
    const message = `pi: the model refused the request: ${reason}`;
    return new AgentOsError("PROVIDER_REFUSED", message, { provider: "pi", status, reason });
  }
  const details = { provider: "pi", reason, ...(status >= 500 ? { status } : {}) };
  return new AgentOsError("PROVIDER_FAILED", `pi failed: ${reason}`, details);
}
