import type { SessionStore } from "@agentos/core";
import type { ToolCall, ToolResult } from "@agentos/protocol";

const BATCH = { limit: 1_000, maxBytes: 4 * 1024 * 1024 };

/** A tool call that an earlier life has told of. */
export interface EarlierCall {
  readonly call: ToolCall;
  /** Undefined: it was open when the life ended. */
  readonly result: ToolResult | undefined;
}

/** The tool calls of a turn as an earlier life has told them: none of them is told, or run, again. */
export class EarlierCalls {
  readonly #calls = new Map<string, EarlierCall>();

  /** `afterSeq`: the turn begins after it. */
  constructor(store: SessionStore, key: string, turnId: string, afterSeq: number) {
    for (let after = afterSeq; ;) {
      const events = store.events(key, { after, ...BATCH });
      for (const event of events) {
        if (event.turnId !== turnId) continue;
        if (event.type === "tool_call")
          this.#calls.set(event.call.callId, { call: event.call, result: undefined });
        if (event.type !== "tool_result") continue;
        const { call } = this.#calls.get(event.result.callId) ?? {};
        if (call !== undefined) this.#calls.set(call.callId, { call, result: event.result });
      }
      const last = events.at(-1);
      if (last === undefined) return;
      after = last.seq;
    }
  }

  /** Those without a result. */
  get open(): ToolCall[] {
    const all = [...this.#calls.values()];
    return all.filter(({ result }) => result === undefined).map(({ call }) => call);
  }

  /** Asked for once: the same id again is another call. */
  take(callId: string): EarlierCall | undefined {
    const known = this.#calls.get(callId);
    this.#calls.delete(callId);
    return known;
  }
}
