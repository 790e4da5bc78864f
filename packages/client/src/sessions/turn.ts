import {
  AgentOsError,
  type BudgetName,
  decodeError,
  type Json,
  type SessionEvent,
  type StopReason,
  type TurnResult as WireResult,
  type Usage,
} from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { readSession } from "./session-reader.ts";

/** How a turn ended. */
export interface TurnResult {
  readonly turnId: string;
  /** The reply. */
  readonly text: string;
  readonly stopReason: StopReason;
  /** Which budget stopped it. */
  readonly budget?: BudgetName;
  readonly usage: Usage | null;
  /** `null` where the provider or the price table does not say. */
  readonly costUsd: number | null;
  /** What matches the session's `outputSchema`; `null` where none came. */
  readonly output?: Json;
  readonly durationMs: number;
}

interface TurnStart {
  readonly sessionId: string;
  readonly turnId: string;
  /** The transcript's last seq when the turn was taken. */
  readonly accepted: Promise<number>;
  readonly signal: AbortSignal | undefined;
}

/**
 * One prompt and what came of it. To be iterated for its events, awaited for its result, or both. It
 * runs either way: leaving the loop detaches the reader and nothing else.
 */
export class Turn implements AsyncIterable<SessionEvent>, PromiseLike<TurnResult> {
  /** The turn's id, chosen here. */
  readonly id: string;
  readonly #admin: VmAdmin;
  readonly #start: TurnStart;
  #result: Promise<TurnResult> | undefined;
  /** The end, where a loop has seen it. */
  #end: WireResult | undefined;

  constructor(admin: VmAdmin, start: TurnStart) {
    this.id = start.turnId;
    this.#admin = admin;
    this.#start = start;
    // Who iterates or awaits hears of a refused prompt there.
    start.accepted.catch(() => undefined);
    start.signal?.addEventListener("abort", this.#abort, { once: true });
    if (start.signal?.aborted === true) this.#abort();
  }

  /** Resolves when the turn is stored. Rejects where the prompt was refused. */
  get accepted(): Promise<void> {
    return this.#start.accepted.then(() => undefined);
  }

  /** The turn's events from its first one; each loop reads for itself. */
  async *[Symbol.asyncIterator](): AsyncGenerator<SessionEvent, void, undefined> {
    const { sessionId, accepted } = this.#start;
    const after = await accepted;
    for await (const event of readSession(this.#admin, { sessionId, after })) {
      if (event.turnId !== this.id) continue;
      if (event.type === "turn_end") this.#ended(event.result);
      yield event;
      if (event.type === "turn_end") return;
    }
    throw this.#gone();
  }

  // oxlint-disable-next-line unicorn/no-thenable -- A turn is awaited for its result.
  then<A = TurnResult, B = never>(
    fulfilled?: ((result: TurnResult) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#result ??= this.#read();
    return this.#result.then(fulfilled, rejected);
  }

  /** The reply. Rejects as the turn does. */
  async text(): Promise<string> {
    return (await this).text;
  }

  /** The structured output; `null` where none came. */
  async output(): Promise<Json> {
    return (await this).output ?? null;
  }

  /** Ends the turn, and never another one. Harmless once it is over. */
  async cancel(): Promise<void> {
    const { sessionId } = this.#start;
    await this.#start.accepted;
    const params = { ...this.#admin.scope, sessionId, turnId: this.id };
    await this.#admin.request("session.cancel", params);
  }

  readonly #abort = (): void => {
    // Where it can't be cancelled it has ended, or its VM has.
    this.cancel().catch(() => undefined);
  };

  async #read(): Promise<TurnResult> {
    if (this.#end !== undefined) return resultOf(this.#end);
    for await (const event of this) {
      if (event.type === "turn_end") return resultOf(event.result);
    }
    throw this.#gone();
  }

  #ended(result: WireResult): void {
    this.#end = result;
    this.#start.signal?.removeEventListener("abort", this.#abort);
  }

  #gone(): AgentOsError {
    const { sessionId } = this.#start;
    const message = `session ${sessionId} ended before its turn ${this.id} did`;
    return new AgentOsError("SESSION_CLOSED", message, { sessionId, state: "closed" });
  }
}

/** Throws what the turn failed with; `CANCELLED` where it was cancelled. */
function resultOf(end: WireResult): TurnResult {
  const { error, turnId, text, stopReason, budget, usage, output, durationMs } = end;
  if (error !== undefined) throw decodeError(error);
  if (stopReason === "cancelled") {
    throw new AgentOsError("CANCELLED", `turn ${turnId} was cancelled`, { operation: "prompt" });
  }
  const costUsd = usage?.costUsd ?? null;
  return {
    turnId,
    text,
    stopReason,
    usage,
    costUsd,
    durationMs,
    ...(budget === undefined ? {} : { budget }),
    ...(output === undefined ? {} : { output }),
  };
}
