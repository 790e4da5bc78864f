import type {
  AgentEndpoint,
  AgentModes,
  AgentTrace,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
  RuntimeTurn,
  RuntimeTurnResult,
} from "@agentos/core";
import { AgentOsError, type Content, type JsonObject } from "@agentos/protocol";

import { type AgentLine, rawEvent } from "../agent-process/agent-line.ts";
import { AgentProgram, type ProgramOptions } from "../agent-program/agent-program.ts";
import { assertMode, unknownMode } from "../agent-program/unknown-mode.ts";
import { answered } from "../agent-program/open-conversation.ts";
import { initializeRequest } from "./claude-command.ts";
import { userLine } from "./claude-content.ts";
import { ClaudeControl, ClaudeRefusal } from "./claude-control.ts";
import { claudeFailure, lostSession } from "./claude-failure.ts";
import { type ClaudeLine, type ClaudeResult, parseClaudeLine } from "./claude-line.ts";
import { CLAUDE_MODES, DEFAULT_MODE } from "./claude-modes.ts";
import { ClaudeTools, TOOL_HOOK } from "./claude-tools.ts";
import { ClaudeTurn } from "./claude-turn.ts";

export interface ClaudeSessionOptions {
  readonly request: RuntimeRequest;
  readonly host: RuntimeHost;
  readonly endpoint: AgentEndpoint;
  readonly program: ProgramOptions;
  /** Claude Code's own id of the conversation. */
  readonly agentSessionId: string;
}

/** One conversation with Claude Code: its program in the VM, spoken to by its control protocol. */
export class ClaudeSession extends AgentProgram implements RuntimeSession {
  readonly #options: ClaudeSessionOptions;
  readonly #tools: ClaudeTools;
  readonly #control: ClaudeControl;
  #turn: ClaudeTurn | undefined;
  #mode: string;
  /** It has begun a conversation that can be resumed. */
  #isBegun = false;

  /** Rejects with `RESUME_LOST`, or as starting the program does; then nothing of it is left. */
  static async open(
    options: ClaudeSessionOptions,
    signal: { signal: AbortSignal },
  ): Promise<ClaudeSession> {
    return await AgentProgram.opened(new ClaudeSession(options), signal);
  }

  /** One that an earlier life has opened and prompted. Rejects where it is gone. */
  static async adopt(options: ClaudeSessionOptions, trace: AgentTrace): Promise<ClaudeSession> {
    const session = new ClaudeSession(options);
    session.#isBegun = options.request.agentSessionId !== undefined;
    return await AgentProgram.adopted(session, trace);
  }

  private constructor(options: ClaudeSessionOptions) {
    super(options.program, options.host);
    this.#options = options;
    this.#mode = options.request.spec.mode ?? DEFAULT_MODE;
    this.#tools = new ClaudeTools(options.host, options.request.tools);
    this.#control = new ClaudeControl({
      send: (message) => this.send(message),
      onRequest: (request, signal) => this.#asked(request, signal),
    });
  }

  async prompt(given: RuntimeTurn): Promise<RuntimeTurnResult> {
    const line = await userLine(this.#options.host, given);
    return await this.#running(given, async () => {
      await this.send(line);
      this.prompted(given.turnId);
    });
  }

  async goOn(given: Pick<RuntimeTurn, "turnId" | "signal">): Promise<RuntimeTurnResult> {
    return await this.#running(given, async () => {
      this.#tools.restore(this.#options.host.openCalls);
      await this.readOn(given.turnId);
    });
  }

  async #running(
    { signal }: Pick<RuntimeTurn, "signal">,
    begin: () => Promise<void>,
  ): Promise<RuntimeTurnResult> {
    const { host, endpoint } = this.#options;
    signal.throwIfAborted();
    this.#tools.begin(signal);
    const turn = new ClaudeTurn({
      host,
      tools: this.#tools,
      signal,
      failure: (result) => this.#lost(result) ?? claudeFailure(result, endpoint),
    });
    this.#turn = turn;
    const interrupt = (): void => void this.#interrupt();
    signal.addEventListener("abort", interrupt, { once: true });
    try {
      await begin();
      return await turn.ended;
    } finally {
      signal.removeEventListener("abort", interrupt);
      this.settled();
      this.#turn = undefined;
    }
  }

  /** It reads it before its next call of the model. */
  async steer(content: Content): Promise<void> {
    await this.send(await userLine(this.#options.host, { content, from: "user", attempt: 0 }));
  }

  async setModel(model: string): Promise<void> {
    try {
      await this.#control.request({ subtype: "set_model", model });
    } catch (error) {
      if (!(error instanceof ClaudeRefusal)) throw error;
      const reason = error.message;
      const message = `claude-code does not take the model ${model}: ${reason}`;
      throw new AgentOsError("MODEL_SWITCH_FAILED", message, { model, reason });
    }
  }

  get modes(): AgentModes {
    return { current: this.#mode, available: CLAUDE_MODES };
  }

  async setMode(mode: string): Promise<void> {
    assertMode("claude-code", this.modes, mode);
    try {
      await this.#control.request({ subtype: "set_permission_mode", mode });
    } catch (error) {
      if (!(error instanceof ClaudeRefusal)) throw error;
      throw unknownMode("claude-code", mode, error.message);
    }
    this.#mode = mode;
  }

  async compact(): Promise<void> {
    const { signal } = new AbortController();
    const turn = { turnId: "compact", content: "/compact", from: "user", attempt: 0 } as const;
    const { error } = await this.prompt({ ...turn, signal });
    if (error !== undefined) throw error;
  }

  protected async greet(): Promise<void> {
    const { spec, announcements } = this.#options.request;
    await this.#control.request(initializeRequest(spec, announcements, !this.#tools.isEmpty));
  }

  protected gone(exit: AgentOsError<"AGENT_EXITED">): AgentOsError {
    const { sessionId } = this.#options.request;
    const error = (!this.#isBegun && lostSession(sessionId, exit.details.stderr)) || exit;
    this.#control.close(error);
    this.#turn?.gone(error, this.#isBegun);
    return error;
  }

  protected take(line: AgentLine, isAgain: boolean): Promise<void> | "end" | undefined {
    const known = line.kind === "json" ? parseClaudeLine(line.value) : undefined;
    // The line that follows them has all that they said.
    if (!isAgain && known?.type !== "stream_event") this.#options.host.emit(rawEvent(line));
    if (known === undefined) return undefined;
    if (isControl(known)) return this.#control.receive(known);
    if (known.type === "system" && known.subtype === "init") this.#begun(known.session_id);
    if (known.type === "result") this.#resulted(known);
    this.#turn?.take(known);
    return known.type === "result" && (known.queued_turn_count ?? 0) === 0 ? "end" : undefined;
  }

  #resulted(result: ClaudeResult): void {
    const lost = this.#lost(result);
    if (this.#isBegun) answered(this.#options.host.state);
    // It says that it can't go on, and may not end.
    if (lost !== undefined) this.#control.close(lost);
  }

  #begun(agentSessionId: string = this.#options.agentSessionId): void {
    this.#isBegun = true;
    this.#options.host.recordSession(agentSessionId);
  }

  async #asked(request: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    if (request["subtype"] === "hook_callback" && request["callback_id"] === TOOL_HOOK) {
      return await this.#tools.beforeTool(request, signal);
    }
    if (request["subtype"] === "mcp_message") return await this.#tools.answerMcp(request, signal);
    // The hook has decided: what asks all the same is not one of its tools.
    if (request["subtype"] === "can_use_tool") {
      return { behavior: "deny", message: "nobody is there to be asked" };
    }
    throw new Error(`agentos has no answer to ${JSON.stringify(request["subtype"])}`);
  }

  /** Its turn ends with a result; one that does not is the engine's to give up. */
  async #interrupt(): Promise<void> {
    await this.#control.request({ subtype: "interrupt" }).catch(() => undefined);
  }

  #lost({ errors = [] }: ClaudeResult): AgentOsError | undefined {
    return this.#isBegun ? undefined : lostSession(this.#options.request.sessionId, errors);
  }
}

function isControl(
  line: ClaudeLine,
): line is Extract<
  ClaudeLine,
  { type: "control_request" | "control_cancel_request" | "control_response" }
> {
  return line.type.startsWith("control_");
}
