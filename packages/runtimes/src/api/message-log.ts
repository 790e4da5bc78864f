import type { RuntimeState } from "@agentos/core";
import { Json } from "@agentos/protocol";

import {
  type AssistantPart,
  StoredHeader,
  StoredMessage,
  type StoredToolResult,
} from "./stored-message.ts";

/** An API agent's conversation: durable step by step, and always one that a provider takes. */
export class MessageLog {
  readonly agentSessionId: string;
  readonly #state: RuntimeState;
  #messages: readonly StoredMessage[];

  private constructor(
    state: RuntimeState,
    agentSessionId: string,
    messages: readonly StoredMessage[],
  ) {
    this.#state = state;
    this.agentSessionId = agentSessionId;
    this.#messages = messages;
  }

  /** A new one, in place of whatever was kept. */
  static begin(
    state: RuntimeState,
    agentSessionId: string,
    messages: readonly StoredMessage[],
  ): MessageLog {
    const log = new MessageLog(state, agentSessionId, []);
    log.replace(messages);
    return log;
  }

  /** The one that was kept; undefined where it is another one's, or in a form that this build does not know. */
  static resume(state: RuntimeState, agentSessionId: string): MessageLog | undefined {
    const [first, ...rest] = state.load();
    const header = StoredHeader.safeParse(first);
    if (!header.success || header.data.agentSessionId !== agentSessionId) return undefined;
    const messages = rest.map((entry) => StoredMessage.safeParse(entry));
    if (messages.some(({ success }) => !success)) return undefined;
    return new MessageLog(
      state,
      agentSessionId,
      messages.flatMap(({ data }) => (data === undefined ? [] : [data])),
    );
  }

  get messages(): readonly StoredMessage[] {
    return this.#messages;
  }

  /** Tokens of the conversation when the model last spoke. */
  get contextTokens(): number | null {
    const last = this.#messages.findLast(({ role }) => role === "assistant");
    return last?.role === "assistant" ? last.contextTokens : null;
  }

  append(message: StoredMessage): void {
    this.#state.append([asJson(message)]);
    this.#messages = [...this.#messages, message];
  }

  replace(messages: readonly StoredMessage[]): void {
    const header: StoredHeader = { version: 1, agentSessionId: this.agentSessionId };
    this.#state.replace([asJson(header), ...messages.map(asJson)]);
    this.#messages = messages;
  }

  /** Calls that nobody answered get this for an answer: no provider takes a conversation with an open one. */
  settle(why: string): void {
    const last = this.#messages.at(-1);
    if (last?.role !== "assistant") return;
    const results = last.parts.flatMap((part) => cancelledResult(part, why));
    if (results.length > 0) this.append({ role: "tool", results });
  }
}

function cancelledResult(part: AssistantPart, why: string): StoredToolResult[] {
  if (part.type !== "tool_call") return [];
  const { callId, name } = part;
  return [{ callId, name, outcome: "cancelled", content: [{ type: "text", text: why }] }];
}

/** Without what is undefined: it is JSON that is kept. */
function asJson(value: StoredMessage | StoredHeader): Json {
  return Json.parse(JSON.parse(JSON.stringify(value)));
}
