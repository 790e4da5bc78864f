import type {
  AgentModes,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
  RuntimeTurn,
  RuntimeTurnResult,
} from "@agentos/core";
import {
  type AgentOsError,
  isAgentOsError,
  type Json,
  type JsonObject,
  type StopReason,
  type Usage,
} from "@agentos/protocol";

import { LinePeerError } from "../agent-process/line-peer.ts";
import { modelFailure, watchFailure } from "../vm-agent/model-failure.ts";
import type { Surroundings } from "../vm-agent/surroundings.ts";
import type { AcpAgent, AcpProgram } from "./acp-agent.ts";
import { AcpConnection } from "./acp-connection.ts";
import { promptBlocks } from "./acp-content.ts";
import { acpFailure } from "./acp-failure.ts";
import type { PermissionParams, PromptResult } from "./acp-message.ts";
import { AcpTools } from "./acp-tools.ts";
import { AcpTurn } from "./acp-turn.ts";

/** What an agent's stop reasons mean. */
const STOP_REASONS: Readonly<Record<string, StopReason>> = {
  end_turn: "end_turn",
  max_tokens: "max_tokens",
  max_turn_requests: "max_turns",
  refusal: "refusal",
  cancelled: "cancelled",
};
const FROM_SYSTEM = "[from the system, not from the user]";

export interface AcpSessionOptions {
  readonly agent: AcpAgent;
  readonly request: RuntimeRequest;
  readonly host: RuntimeHost;
  readonly surroundings: Surroundings;
  readonly program: AcpProgram;
  /** Said before the first prompt of a new conversation. */
  readonly preamble: string | undefined;
}

/** One conversation with an agent that speaks ACP, version 1. */
export class AcpSession implements RuntimeSession {
  readonly #options: AcpSessionOptions;
  readonly #connection: AcpConnection;
  readonly #tools: AcpTools;
  #preamble: string | undefined;
  #run: AcpTurn | undefined;
  /** Why the running turn was stopped by us: a tool ran that may not, or the model failed and the agent goes on trying. */
  #stopped: RuntimeTurnResult | undefined;
  /** How the model had failed before the running turn. */
  #failedBefore: AgentOsError | undefined;
  #isBegun: boolean;

  /** Rejects with `RESUME_LOST`, or as starting the program does; then nothing of it is left. */
  static async open(
    options: AcpSessionOptions,
    signal: { signal: AbortSignal },
  ): Promise<AcpSession> {
    const { agent, program, request, host } = options;
    const opened: { session?: AcpSession } = {};
    const tools = new AcpTools({
      host,
      describe: (call, first) => agent.describe(call, first),
      isOwn: (call) => request.tools.some(({ name }) => agent.isOwn(call, name)),
      onDenied: (text) => opened.session?.stop({ stopReason: "denied", text }),
    });
    const onUpdate = (kind: string, update: JsonObject): void => opened.session?.told(kind, update);
    const onPermission = async (asked: PermissionParams): Promise<Json> => {
      opened.session?.stepped();
      return await tools.asked(asked);
    };
    const parts = { agent, program, request, host, onUpdate, onPermission };
    opened.session = new AcpSession(options, await AcpConnection.open(parts, signal), tools);
    return opened.session;
  }

  private constructor(options: AcpSessionOptions, connection: AcpConnection, tools: AcpTools) {
    const isNew = options.request.agentSessionId === undefined;
    this.#options = options;
    this.#connection = connection;
    this.#tools = tools;
    this.#preamble = isNew ? options.preamble : undefined;
    this.#isBegun = !isNew;
  }

  get exited(): Promise<AgentOsError> {
    return this.#connection.exited;
  }

  async prompt({ content, from, signal }: RuntimeTurn): Promise<RuntimeTurnResult> {
    const { host, surroundings } = this.#options;
    const blocks = await promptBlocks(host.vm, content, this.#connection.takesImages);
    const before = [this.#preamble, from === "hook" ? FROM_SYSTEM : undefined];
    const prompt = [...before.flatMap((text) => text ?? []).map(textBlock), ...blocks];
    signal.throwIfAborted();
    this.#tools.begin(signal);
    this.#stopped = undefined;
    const run = new AcpTurn(host, this.#tools);
    this.#run = run;
    this.#failedBefore = modelFailure(surroundings.endpoint);
    const cancel = (): void => this.#connection.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    const endWatch = watchFailure(surroundings.endpoint, (error) => this.stop(failed(error)));
    try {
      const result = await this.#connection.prompt(prompt);
      this.#begun();
      return this.#ended(result, run, signal);
    } catch (error) {
      return this.#failed(error, run, signal);
    } finally {
      endWatch();
      signal.removeEventListener("abort", cancel);
      this.#run = undefined;
    }
  }

  async setModel(model: string): Promise<void> {
    await this.#connection.setModel(model);
  }

  get modes(): AgentModes | undefined {
    return this.#connection.modes;
  }

  async setMode(mode: string): Promise<void> {
    await this.#connection.setMode(mode);
  }

  pids(): readonly number[] {
    return this.#connection.pids();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  /** Its agent tells something. */
  told(kind: string, update: JsonObject): void {
    if (this.#run === undefined) return;
    this.#begun();
    this.#run.take(kind, update);
  }

  /** Its agent asks about a tool. */
  stepped(): void {
    this.#run?.stepped();
  }

  /** From here on there is something to go on with. */
  #begun(): void {
    this.#preamble = undefined;
    this.#isBegun = true;
    this.#options.host.recordSession(this.#connection.sessionId);
  }

  /** Ends the running turn, with this. */
  stop(result: RuntimeTurnResult): void {
    if (this.#stopped !== undefined || this.#run === undefined) return;
    this.#stopped = result;
    this.#connection.cancel();
  }

  #ended(
    { stopReason, usage }: PromptResult,
    run: AcpTurn,
    signal: AbortSignal,
  ): RuntimeTurnResult {
    const { surroundings, host } = this.#options;
    const { text } = run;
    // What passes the gateway is counted there.
    if (surroundings.endpoint === undefined && usage !== null && usage !== undefined)
      host.modelCalled({ usage: usageOf(usage), hasToolCalls: false });
    // Our own word comes first: agents call a cancelled turn by other names.
    if (this.#stopped !== undefined) return this.#stopped;
    if (signal.aborted) return { stopReason: "cancelled", text };
    // Some agents end a failed turn as if it were a good one.
    const failure = this.#modelFailure();
    if (failure !== undefined) return failed(failure);
    return { stopReason: STOP_REASONS[stopReason] ?? "end_turn", text };
  }

  #failed(error: unknown, run: AcpTurn, signal: AbortSignal): RuntimeTurnResult {
    const { agent } = this.#options;
    if (this.#stopped !== undefined) return this.#stopped;
    if (signal.aborted) return { stopReason: "cancelled", text: run.text };
    if (isAgentOsError(error, "AGENT_EXITED"))
      return { stopReason: "error", text: "", error, aborted: !this.#isBegun };
    if (!(error instanceof LinePeerError)) throw error;
    return failed(this.#modelFailure() ?? acpFailure(agent.name, error));
  }

  /** That of the running turn. */
  #modelFailure(): AgentOsError | undefined {
    const failure = modelFailure(this.#options.surroundings.endpoint);
    return failure === this.#failedBefore ? undefined : failure;
  }
}

function textBlock(text: string): JsonObject {
  return { type: "text", text };
}

function failed(error: AgentOsError): RuntimeTurnResult {
  return { stopReason: error.code === "RATE_LIMITED" ? "rate_limit" : "error", text: "", error };
}

function usageOf(usage: NonNullable<PromptResult["usage"]>): Usage {
  return {
    inputTokens: usage.inputTokens ?? null,
    outputTokens: usage.outputTokens ?? null,
    cacheReadTokens: usage.cachedReadTokens ?? null,
    cacheWriteTokens: usage.cachedWriteTokens ?? null,
    thinkingTokens: usage.thoughtTokens ?? null,
    totalTokens: usage.totalTokens ?? null,
    costUsd: null,
  };
}
