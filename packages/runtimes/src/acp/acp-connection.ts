import { randomInt } from "node:crypto";

import type { AgentTrace, RuntimeHost, RuntimeRequest } from "@agentos/core";
import { AgentOsError, type Json, type JsonObject } from "@agentos/protocol";

import { type AgentLine, rawEvent } from "../agent-process/agent-line.ts";
import { LinePeer, LinePeerError } from "../agent-process/line-peer.ts";
import { AgentProgram } from "../agent-program/agent-program.ts";
import { assertMode, unknownMode } from "../agent-program/unknown-mode.ts";
import type { AcpAgent, AcpProgram } from "./acp-agent.ts";
import { lostSession, noModes, noSession, reasonOf, wrongVersion } from "./acp-failure.ts";
import { AcpMemo, type AcpTurnMemo } from "./acp-memo.ts";
import { type AcpModes, acpModes } from "./acp-modes.ts";
import {
  InitializeResult,
  ModeUpdate,
  PermissionParams,
  PromptResult,
  SessionResult,
  UpdateParams,
} from "./acp-message.ts";

const PROTOCOL_VERSION = 1;
const METHOD_NOT_FOUND = -32_601;
const INVALID_PARAMS = -32_602;
const CLIENT = { name: "agentos", title: "AgentOS", version: "1" };
/** Until a request that starts no turn is answered. The slowest known agent takes 12 s to begin. */
const ANSWER_MS = 60_000;

export interface AcpConnectionOptions {
  readonly agent: AcpAgent;
  readonly program: AcpProgram;
  readonly request: RuntimeRequest;
  readonly host: RuntimeHost;
  /** What it tells of its conversation. */
  readonly onUpdate: (kind: string, update: JsonObject) => void;
  readonly onPermission: (asked: PermissionParams) => Promise<Json>;
  /** What another life has to know of the running turn. */
  readonly turnMemo: () => AcpTurnMemo;
}

/** An agent's program, its messages, and the one conversation that is open in it. */
export class AcpConnection extends AgentProgram {
  readonly #options: AcpConnectionOptions;
  readonly #peer: LinePeer;
  #sessionId = "";
  #modelOption: string | undefined;
  #takesImages = false;
  #modes: AcpModes | undefined;
  /** The request whose answer ends the turn. */
  #promptId: number | null = null;
  #left: Json = null;

  /** Rejects with `RESUME_LOST`, or as starting the program does; then nothing of it is left. */
  static async open(
    options: AcpConnectionOptions,
    signal: { signal: AbortSignal },
  ): Promise<AcpConnection> {
    return await AgentProgram.opened(new AcpConnection(options), signal);
  }

  /** One that an earlier life has opened and prompted. Rejects where it is gone. */
  static async adopt(options: AcpConnectionOptions, trace: AgentTrace): Promise<AcpConnection> {
    return await AgentProgram.adopted(new AcpConnection(options), trace);
  }

  private constructor(options: AcpConnectionOptions) {
    const { agent, program, request, host } = options;
    const { spec, sessionId, cwd } = request;
    super(
      {
        agent: agent.name,
        vm: host.vm,
        sessionId,
        argv: program.argv,
        env: program.env,
        cwd,
        shutdownMs: spec.timeouts?.shutdownMs,
      },
      host,
    );
    this.#options = options;
    this.#peer = new LinePeer({
      // Answers to those of an earlier life may still come.
      firstId: randomInt(1, 2 ** 31),
      send: (message) => this.send(message),
      onRequest: (method, params) => this.#asked(method, params),
      onNotification: (method, params) => this.#told(method, params),
    });
  }

  /** Its own id of the conversation. */
  get sessionId(): string {
    return this.#sessionId;
  }

  get takesImages(): boolean {
    return this.#takesImages;
  }

  /** Resolves at the turn's end. Rejects with `LinePeerError`, or why the program is gone. */
  async prompt(turnId: string, prompt: readonly JsonObject[]): Promise<PromptResult> {
    const params = { sessionId: this.#sessionId, prompt: [...prompt] };
    const onSent = (id: number): void => {
      this.#promptId = id;
      this.prompted(turnId);
    };
    return PromptResult.parse(await this.#peer.request("session/prompt", params, { onSent }));
  }

  /** The same for a turn that an earlier life has prompted. */
  async goOn(turnId: string): Promise<PromptResult> {
    const id = this.#promptId;
    if (id === null) throw new LinePeerError(INVALID_PARAMS, "it was never prompted", undefined);
    const [answer] = await Promise.all([this.#peer.expect(id), this.readOn(turnId)]);
    return PromptResult.parse(answer);
  }

  /** The turn is over. */
  ended(): void {
    this.settled();
  }

  /** What the life before knew of the running turn. */
  get left(): Json {
    return this.#left;
  }

  cancel(): void {
    // A turn that does not end is the engine's to give up.
    this.#peer.notify("session/cancel", { sessionId: this.#sessionId }).catch(() => undefined);
  }

  get modes(): AcpModes | undefined {
    return this.#modes;
  }

  /** Rejects with `UNSUPPORTED` or `INVALID_ARGUMENT`. */
  async setMode(mode: string): Promise<void> {
    const { agent } = this.#options;
    const modes = this.#modes;
    if (modes === undefined) throw noModes(agent.name);
    assertMode(agent.name, modes, mode);
    const sessionId = this.#sessionId;
    try {
      await (modes.option === undefined
        ? this.#request("session/set_mode", { sessionId, modeId: mode })
        : this.#request("session/set_config_option", {
            sessionId,
            configId: modes.option,
            value: mode,
          }));
    } catch (error) {
      if (!(error instanceof LinePeerError)) throw error;
      throw unknownMode(agent.name, mode, error.message);
    }
    this.#modes = { ...modes, current: mode };
  }

  /** Rejects with `MODEL_SWITCH_FAILED`. */
  async setModel(model: string): Promise<void> {
    const { agent } = this.#options;
    const sessionId = this.#sessionId;
    const value = agent.modelId(model);
    try {
      await (this.#modelOption === undefined
        ? this.#request("session/set_model", { sessionId, modelId: value })
        : this.#request("session/set_config_option", {
            sessionId,
            configId: this.#modelOption,
            value,
          }));
    } catch (error) {
      if (!(error instanceof LinePeerError)) throw error;
      const reason = error.message;
      const message = `${agent.name} does not take the model ${model}: ${reason}`;
      throw new AgentOsError("MODEL_SWITCH_FAILED", message, { model, reason });
    }
  }

  protected async greet(signal: AbortSignal): Promise<void> {
    const { agent, request, program } = this.#options;
    const clientCapabilities = { fs: { readTextFile: false, writeTextFile: false } };
    const hello = await this.#request(
      "initialize",
      { protocolVersion: PROTOCOL_VERSION, clientCapabilities, clientInfo: CLIENT },
      signal,
    );
    const { protocolVersion, agentCapabilities } = InitializeResult.parse(hello);
    if (protocolVersion !== PROTOCOL_VERSION)
      throw wrongVersion(agent.name, PROTOCOL_VERSION, protocolVersion);
    this.#takesImages = agentCapabilities?.promptCapabilities?.image === true;
    const opened = await this.#open(agentCapabilities, signal);
    this.#modelOption = opened.configOptions?.find(({ category }) => category === "model")?.id;
    this.#modes = acpModes(opened, (mode) => agent.asksIn(mode));
    const { model, mode } = request.spec;
    if (mode !== undefined) await this.setMode(mode);
    if (model !== undefined && !program.hasModel) await this.setModel(model);
  }

  async #open(
    capabilities: InitializeResult["agentCapabilities"],
    signal: AbortSignal,
  ): Promise<SessionResult> {
    const { request, program, agent } = this.#options;
    const { agentSessionId, sessionId, cwd } = request;
    const place = { cwd, mcpServers: [...program.mcpServers] };
    if (agentSessionId === undefined) {
      const result = SessionResult.parse(await this.#request("session/new", place, signal));
      if (typeof result.sessionId !== "string") throw noSession(agent.name);
      this.#sessionId = result.sessionId;
      return result;
    }
    const canResume = (capabilities?.sessionCapabilities?.resume ?? null) !== null;
    if (!canResume && capabilities?.loadSession !== true)
      throw lostSession(sessionId, `${agent.name} keeps no sessions`);
    // With `resume` nothing of the conversation is told again.
    const method = canResume ? "session/resume" : "session/load";
    const params = { sessionId: agentSessionId, ...place };
    const result = await this.#request(method, params, signal).catch((error: unknown) => {
      if (!(error instanceof LinePeerError)) throw error;
      throw lostSession(sessionId, reasonOf(error), error);
    });
    // Not before: what is told meanwhile was told in an earlier life.
    this.#sessionId = agentSessionId;
    return SessionResult.parse(result ?? {});
  }

  protected override memo(): AcpMemo {
    const modes = this.#modes;
    return {
      sessionId: this.#sessionId,
      promptId: this.#promptId,
      takesImages: this.#takesImages,
      modelOption: this.#modelOption ?? null,
      modes:
        modes === undefined
          ? null
          : { ...modes, available: [...modes.available], option: modes.option ?? null },
      turn: this.#options.turnMemo(),
    };
  }

  protected override async remember(memo: Json): Promise<void> {
    const { sessionId, promptId, takesImages, modelOption, modes, turn } = AcpMemo.parse(memo);
    this.#sessionId = sessionId;
    this.#promptId = promptId;
    this.#takesImages = takesImages;
    this.#modelOption = modelOption ?? undefined;
    this.#modes = modes === null ? undefined : { ...modes, option: modes.option ?? undefined };
    this.#left = turn;
  }

  protected gone(exit: AgentOsError<"AGENT_EXITED">): AgentOsError {
    this.#peer.close(exit);
    return exit;
  }

  protected take(line: AgentLine, isAgain: boolean): Promise<void> | "end" | undefined {
    const message = line.kind === "json" ? line.value : undefined;
    if (!isAgain && !isText(message)) this.#options.host.emit(rawEvent(line));
    if (message === undefined) return undefined;
    return this.#peer.receive(message) ?? (this.#isAnswer(message) ? "end" : undefined);
  }

  /** To the prompt. */
  #isAnswer(message: Json): boolean {
    if (typeof message !== "object" || message === null || Array.isArray(message)) return false;
    return message["method"] === undefined && message["id"] === this.#promptId;
  }

  #told(method: string, params: Json): void {
    if (method !== "session/update") return;
    const told = UpdateParams.safeParse(params).data;
    if (told === undefined || told.sessionId !== this.#sessionId) return;
    this.#noteMode(told.update);
    this.#options.onUpdate(told.update.sessionUpdate, told.update);
  }

  /** It changes by itself, too. */
  #noteMode(update: JsonObject): void {
    if (update["sessionUpdate"] !== "current_mode_update" || this.#modes === undefined) return;
    const current = ModeUpdate.safeParse(update).data?.currentModeId;
    if (current !== undefined) this.#modes = { ...this.#modes, current };
  }

  async #asked(method: string, params: Json): Promise<Json> {
    if (method !== "session/request_permission")
      throw new LinePeerError(METHOD_NOT_FOUND, `agentos has no ${method}`, undefined);
    const asked = PermissionParams.safeParse(params);
    if (!asked.success) throw new LinePeerError(INVALID_PARAMS, asked.error.message, undefined);
    return await this.#options.onPermission(asked.data);
  }

  async #request(method: string, params: JsonObject, signal?: AbortSignal): Promise<Json> {
    return await this.#peer.request(method, params, {
      timeoutMs: ANSWER_MS,
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

/** Pieces of text are in the transcript as they are: their lines would only say it again. */
function isText(message: Json | undefined): boolean {
  if (typeof message !== "object" || message === null || Array.isArray(message)) return false;
  const told = UpdateParams.safeParse(message["params"]).data;
  return /^agent_(message|thought)_chunk$/.test(told?.update.sessionUpdate ?? "");
}
