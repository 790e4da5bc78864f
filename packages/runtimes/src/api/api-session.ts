import type { RuntimeHost, RuntimeSession, RuntimeTurn, RuntimeTurnResult } from "@agentos/core";
import { type AgentOsError, isAgentOsError } from "@agentos/protocol";

import { AgentTurn } from "./agent-turn.ts";
import type { ApiParts } from "./api-parts.ts";
import { CallCancelled } from "./call-model.ts";
import type { MessageLog } from "./message-log.ts";
import { readContent } from "./read-content.ts";
import type { StoredMessage } from "./stored-message.ts";

const NOT_KNOWN = "the call was interrupted: what came of it is not known";
const NOT_RUN = "the turn ended before the call did";

export interface ApiSessionOptions extends Omit<ApiParts, "log"> {
  /** The conversation to go on with, or what makes a new one at the first prompt. */
  readonly log: MessageLog | (() => Promise<MessageLog>);
}

/** One open conversation with a model. It has no process: the sidecar itself is its agent. */
export class ApiSession implements RuntimeSession {
  readonly exited: Promise<AgentOsError> = new Promise(() => undefined);
  readonly #options: ApiSessionOptions;
  readonly #disposed = new AbortController();
  #log: MessageLog | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ApiSessionOptions) {
    this.#options = options;
  }

  async prompt(turn: RuntimeTurn): Promise<RuntimeTurnResult> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = promise;
    try {
      const signal = AbortSignal.any([turn.signal, this.#disposed.signal]);
      return await this.#prompt({ ...turn, signal });
    } finally {
      resolve();
    }
  }

  /** The running turn is cut off; its request is closed when this resolves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort();
    await this.#running;
  }

  async #prompt(turn: RuntimeTurn): Promise<RuntimeTurnResult> {
    const log = await this.#begun();
    log.settle(NOT_KNOWN);
    if (!isGivenAlready(log, turn)) log.append(await userMessage(this.#options.host, turn));
    try {
      return await new AgentTurn({ ...this.#options, log }, turn).run();
    } catch (error) {
      return ended(error, log, turn.signal);
    } finally {
      log.settle(NOT_RUN);
    }
  }

  /** The agent's session is recorded once there is something to go on with. */
  async #begun(): Promise<MessageLog> {
    if (this.#log !== undefined) return this.#log;
    const { log, host } = this.#options;
    this.#log = typeof log === "function" ? await log() : log;
    host.recordSession(this.#log.agentSessionId);
    return this.#log;
  }
}

/** A retry's content is in the conversation, unless it failed before it came there. */
function isGivenAlready({ messages }: MessageLog, { attempt, turnId, from }: RuntimeTurn): boolean {
  if (attempt === 0) return false;
  const last = messages.findLast(({ role }) => role === "user");
  return last?.role === "user" && last.turnId === turnId && last.from === from;
}

async function userMessage(
  { vm }: RuntimeHost,
  { turnId, from, content }: RuntimeTurn,
): Promise<StoredMessage> {
  const parts = await readContent(vm, content);
  if (from === "user") return { role: "user", turnId, from, content: parts };
  const intro = { type: "text" as const, text: "[from the system, not from the user]" };
  return { role: "user", turnId, from, content: [intro, ...parts] };
}

/** What the model had said by the cut stays in the conversation, as it stays in the transcript. */
function ended(error: unknown, log: MessageLog, signal: AbortSignal): RuntimeTurnResult {
  if (error instanceof CallCancelled || signal.aborted) {
    const text = error instanceof CallCancelled ? error.text : "";
    if (text.trim() !== "") {
      const parts = [{ type: "text" as const, text }];
      log.append({ role: "assistant", parts, contextTokens: null });
    }
    return { stopReason: "cancelled", text };
  }
  if (isAgentOsError(error, "RATE_LIMITED")) return { stopReason: "rate_limit", text: "", error };
  const isProviders =
    isAgentOsError(error, "PROVIDER_FAILED") || isAgentOsError(error, "PROVIDER_REFUSED");
  if (!isProviders) throw error;
  return { stopReason: "error", text: "", error };
}
