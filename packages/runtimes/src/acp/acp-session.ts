import type {
  AgentModes,
  AgentTrace,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
  RuntimeTurn,
  RuntimeTurnResult,
} from "@agentos/core";
import type { AgentOsError, Json, JsonObject } from "@agentos/protocol";

import { modelFailure, watchFailure } from "../vm-agent/model-failure.ts";
import type { Surroundings } from "../vm-agent/surroundings.ts";
import type { AcpAgent, AcpProgram } from "./acp-agent.ts";
import { AcpConnection, type AcpConnectionOptions } from "./acp-connection.ts";
import { promptBlocks } from "./acp-content.ts";
import { AcpTurnMemo } from "./acp-memo.ts";
import type { PermissionParams, PromptResult } from "./acp-message.ts";
import { count, endOf, endOfFailure, failed, type SeenTurn } from "./acp-outcome.ts";
import { AcpTools } from "./acp-tools.ts";
import { AcpTurn } from "./acp-turn.ts";

const FROM_SYSTEM = "[from the system, not from the user]";
/** What was said may be in the conversation already, or not. */
const GO_ON = "The model's provider failed before you were done. Go on with the last request:";
/** Of a reply, kept for another life of the sidecar. */
const SAID_CHARS = 64 * 1024;

export interface AcpSessionOptions {
  readonly agent: AcpAgent;
  readonly request: RuntimeRequest;
  readonly host: RuntimeHost;
  readonly surroundings: Surroundings;
  /** Its program and settings, to go on with that conversation of the agent's own. */
  readonly prepare: (
    agentSessionId: string | undefined,
    options: { signal: AbortSignal },
  ) => Promise<AcpProgram>;
  /** Said before the first prompt of a new conversation. */
  readonly preamble: string | undefined;
}

/** One that runs already: nothing is started. */
const RUNNING: AcpProgram = { argv: [], env: {}, mcpServers: [], hasModel: true };

/** One conversation with an agent that speaks ACP, version 1. */
export class AcpSession implements RuntimeSession {
  readonly #options: AcpSessionOptions;
  readonly #tools: AcpTools;
  readonly #exited = Promise.withResolvers<AgentOsError>();
  #connection: AcpConnection;
  /** Whose end is the session's. */
  #watched: AcpConnection | undefined;
  /** It was taken over: what it had of the session's tools broke with the sidecar. */
  #isWorn: boolean;
  #model: string | undefined;
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
    const { agentSessionId } = options.request;
    const program = await options.prepare(agentSessionId, signal);
    return await AcpSession.#with(options, false, (parts) =>
      AcpConnection.open({ ...parts, program }, signal),
    );
  }

  /** One that an earlier life has opened and prompted. Rejects where it is gone. */
  static async adopt(options: AcpSessionOptions, trace: AgentTrace): Promise<AcpSession> {
    return await AcpSession.#with(options, true, (parts) => AcpConnection.adopt(parts, trace));
  }

  static async #with(
    options: AcpSessionOptions,
    isAdopted: boolean,
    connect: (parts: AcpConnectionOptions) => Promise<AcpConnection>,
  ): Promise<AcpSession> {
    const { agent, request, host } = options;
    const made: { session?: AcpSession } = {};
    const tools = new AcpTools({
      host,
      describe: (call, first) => agent.describe(call, first),
      isOwn: (call) => request.tools.some(({ name }) => agent.isOwn(call, name)),
      hasOwn: (call) =>
        request.tools.some(({ name, server }) => name === call.name && server === call.server),
      onDenied: (text) => made.session?.stop({ stopReason: "denied", text }),
    });
    const onUpdate = (kind: string, update: JsonObject): void => made.session?.told(kind, update);
    const onPermission = async (asked: PermissionParams): Promise<Json> => {
      made.session?.stepped();
      return await tools.asked(asked);
    };
    const turnMemo = (): AcpTurnMemo => ({ said: made.session?.said ?? "", calls: tools.memo });
    const parts = { agent, program: RUNNING, request, host, onUpdate, onPermission, turnMemo };
    made.session = new AcpSession(options, await connect(parts), { parts, tools, isAdopted });
    return made.session;
  }

  readonly #parts: AcpConnectionOptions;

  private constructor(
    options: AcpSessionOptions,
    connection: AcpConnection,
    {
      parts,
      tools,
      isAdopted,
    }: { parts: AcpConnectionOptions; tools: AcpTools; isAdopted: boolean },
  ) {
    const isNew = options.request.agentSessionId === undefined && !isAdopted;
    this.#options = options;
    this.#parts = parts;
    this.#tools = tools;
    this.#preamble = isNew ? options.preamble : undefined;
    this.#isBegun = !isNew;
    this.#isWorn = isAdopted && options.surroundings.door !== undefined;
    this.#connection = connection;
    this.#watch(connection);
  }

  get exited(): Promise<AgentOsError> {
    return this.#exited.promise;
  }

  async prompt({
    turnId,
    content,
    from,
    attempt,
    signal,
  }: RuntimeTurn): Promise<RuntimeTurnResult> {
    const { host } = this.#options;
    if (this.#isWorn) await this.#renew(signal);
    const blocks = await promptBlocks(host.vm, content, this.#connection.takesImages);
    const before = [
      this.#preamble,
      from === "hook" ? FROM_SYSTEM : undefined,
      attempt > 0 && this.#isBegun ? GO_ON : undefined,
    ];
    const prompt = [...before.flatMap((text) => text ?? []).map(textBlock), ...blocks];
    return await this.#running(signal, () => this.#connection.prompt(turnId, prompt));
  }

  async goOn({
    turnId,
    signal,
  }: Pick<RuntimeTurn, "turnId" | "signal">): Promise<RuntimeTurnResult> {
    return await this.#running(signal, async (run) => {
      const { said, calls } = AcpTurnMemo.parse(this.#connection.left);
      run.said = said;
      this.#tools.restore(calls, this.#options.host.openCalls);
      return await this.#connection.goOn(turnId);
    });
  }

  async #running(
    signal: AbortSignal,
    begin: (run: AcpTurn) => Promise<PromptResult>,
  ): Promise<RuntimeTurnResult> {
    const { host, surroundings } = this.#options;
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
      const result = await begin(run);
      this.#begun();
      // What passes the gateway is counted there.
      if (surroundings.endpoint === undefined) count(host, result);
      return endOf(result, this.#seen(run, signal));
    } catch (error) {
      return endOfFailure(error, this.#seen(run, signal));
    } finally {
      endWatch();
      signal.removeEventListener("abort", cancel);
      this.#connection.ended();
      this.#run = undefined;
    }
  }

  /** Starts its program anew, with its conversation, its model and its mode. */
  async #renew(signal: AbortSignal): Promise<void> {
    const { request } = this.#options;
    const before = this.#connection;
    const { sessionId: agentSessionId, modes } = before;
    this.#watched = undefined;
    try {
      await before[Symbol.asyncDispose]();
      const program = await this.#options.prepare(agentSessionId, { signal });
      const parts = { ...this.#parts, program, request: { ...request, agentSessionId } };
      this.#connection = await AcpConnection.open(parts, { signal });
    } finally {
      this.#watch(this.#connection);
    }
    const opened = this.#connection;
    this.#isWorn = false;
    if (this.#model !== undefined) await opened.setModel(this.#model);
    if (modes !== undefined && modes.current !== opened.modes?.current)
      await opened.setMode(modes.current);
  }

  #watch(connection: AcpConnection): void {
    this.#watched = connection;
    void (async () => {
      const exit = await connection.exited;
      if (this.#watched === connection) this.#exited.resolve(exit);
    })();
  }

  /** What the reply is so far. */
  get said(): string {
    return this.#run?.said.slice(0, SAID_CHARS) ?? "";
  }

  async setModel(model: string): Promise<void> {
    await this.#connection.setModel(model);
    this.#model = model;
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

  #seen(run: AcpTurn, signal: AbortSignal): SeenTurn {
    const { agent } = this.#options;
    const { name } = agent;
    const stopped = this.#stopped;
    const failure = this.#modelFailure();
    return { agent: name, text: run.text, stopped, failure, signal, isBegun: this.#isBegun };
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
