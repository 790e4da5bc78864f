import type { RuntimeHost, RuntimeRequest } from "@agentos/core";
import { AgentOsError, type Json, type JsonObject } from "@agentos/protocol";

import { type AgentLine, rawEvent } from "../agent-process/agent-line.ts";
import { LinePeer, LinePeerError } from "../agent-process/line-peer.ts";
import { AgentProgram } from "../agent-program/agent-program.ts";
import { assertMode, unknownMode } from "../agent-program/unknown-mode.ts";
import type { AcpAgent, AcpProgram } from "./acp-agent.ts";
import { lostSession } from "./acp-failure.ts";
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
}

/** An agent's program, its messages, and the one conversation that is open in it. */
export class AcpConnection extends AgentProgram {
  readonly #options: AcpConnectionOptions;
  readonly #peer: LinePeer;
  #sessionId = "";
  #modelOption: string | undefined;
  #takesImages = false;
  #modes: AcpModes | undefined;

  /** Rejects with `RESUME_LOST`, or as starting the program does; then nothing of it is left. */
  static async open(
    options: AcpConnectionOptions,
    signal: { signal: AbortSignal },
  ): Promise<AcpConnection> {
    return await AgentProgram.opened(new AcpConnection(options), signal);
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
  async prompt(prompt: readonly JsonObject[]): Promise<PromptResult> {
    const params = { sessionId: this.#sessionId, prompt: [...prompt] };
    return PromptResult.parse(await this.#peer.request("session/prompt", params));
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
    if (protocolVersion !== PROTOCOL_VERSION) throw wrongVersion(agent.name, protocolVersion);
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

  protected gone(exit: AgentOsError<"AGENT_EXITED">): AgentOsError {
    this.#peer.close(exit);
    return exit;
  }

  protected take(line: AgentLine): undefined {
    const message = line.kind === "json" ? line.value : undefined;
    if (!isText(message)) this.#options.host.emit(rawEvent(line));
    // What it asked is lost with the sidecar.
    if (message !== undefined) void this.#peer.receive(message);
    return undefined;
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

function reasonOf({ message, data }: LinePeerError): string {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return message;
  const { details } = data;
  return typeof details === "string" ? `${message}: ${details}` : message;
}

function noModes(agent: string): AgentOsError<"UNSUPPORTED"> {
  const what = `another mode of ${agent}`;
  return new AgentOsError("UNSUPPORTED", `${what} can't be had`, { what });
}

function wrongVersion(agent: string, actual: number): AgentOsError<"PROTOCOL_ERROR"> {
  const reason = `${agent}: expected version ${PROTOCOL_VERSION} of ACP, got ${actual}`;
  return new AgentOsError("PROTOCOL_ERROR", reason, { reason });
}

function noSession(agent: string): AgentOsError<"PROTOCOL_ERROR"> {
  const reason = `${agent}: expected a sessionId in answer to session/new, got none`;
  return new AgentOsError("PROTOCOL_ERROR", reason, { reason });
}
