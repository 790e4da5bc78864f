import type {
  AgentEndpoint,
  AgentTrace,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
  RuntimeTurn,
  RuntimeTurnResult,
} from "@agentos/core";
import { AgentOsError, type Content, Json, type JsonObject } from "@agentos/protocol";

import { type AgentLine, rawEvent } from "../agent-process/agent-line.ts";
import { AgentProgram, type ProgramOptions } from "../agent-program/agent-program.ts";
import { modelFailure, watchFailure } from "../vm-agent/model-failure.ts";
import { PI_PROVIDER } from "./pi-command.ts";
import { piMessage } from "./pi-content.ts";
import { DIALOG } from "./pi-extension.ts";
import {
  type PiDialog,
  type PiLine,
  PiMemo,
  PiQuestion,
  PiState,
  parsePiLine,
} from "./pi-message.ts";
import { PiRequests } from "./pi-requests.ts";
import { PiTools } from "./pi-tools.ts";
import { PiTurn } from "./pi-turn.ts";

/** Of what it said last, kept for another life of the sidecar. */
const MEMO_CHARS = 64 * 1024;
/** What only says again what other lines say. */
const REPEATS = new Set(["message_start", "message_update", "turn_end", "agent_end"]);

export interface PiSessionOptions {
  readonly request: RuntimeRequest;
  readonly host: RuntimeHost;
  readonly endpoint: AgentEndpoint;
  readonly program: ProgramOptions;
}

/** One conversation with Pi: its program in the VM, spoken to by its rpc mode. */
export class PiSession extends AgentProgram implements RuntimeSession {
  readonly #options: PiSessionOptions;
  readonly #tools: PiTools;
  readonly #requests: PiRequests;
  #agentSessionId = "";
  #turn: PiTurn | undefined;
  #isBegun = false;
  /** The line of what it has said last, where that is not too long. */
  #said: string | null = null;

  /** Rejects with `RESUME_LOST`, or as starting the program does; then nothing of it is left. */
  static async open(
    options: PiSessionOptions,
    signal: { signal: AbortSignal },
  ): Promise<PiSession> {
    return await AgentProgram.opened(new PiSession(options), signal);
  }

  /** One that an earlier life has opened and prompted. Rejects where it is gone. */
  static async adopt(options: PiSessionOptions, trace: AgentTrace): Promise<PiSession> {
    const session = new PiSession(options);
    session.#isBegun = options.request.agentSessionId !== undefined;
    return await AgentProgram.adopted(session, trace);
  }

  private constructor(options: PiSessionOptions) {
    super(options.program, options.host);
    this.#options = options;
    this.#tools = new PiTools(options.host, options.request.tools);
    this.#requests = new PiRequests((line) => this.send(line));
  }

  async prompt({ turnId, content, from, signal }: RuntimeTurn): Promise<RuntimeTurnResult> {
    const message = await piMessage(this.#options.host.vm, content, from);
    return await this.#running(signal, async () => {
      this.#said = null;
      await this.#requests.ask({ type: "prompt", ...message });
      this.prompted(turnId);
    });
  }

  async goOn({
    turnId,
    signal,
  }: Pick<RuntimeTurn, "turnId" | "signal">): Promise<RuntimeTurnResult> {
    return await this.#running(signal, async () => {
      this.#tools.restore(this.#options.host.openCalls);
      const said =
        this.#said === null ? undefined : parsePiLine(Json.parse(JSON.parse(this.#said)));
      if (said !== undefined) this.#turn?.take(said);
      await this.readOn(turnId);
    });
  }

  async #running(signal: AbortSignal, begin: () => Promise<void>): Promise<RuntimeTurnResult> {
    const { host, endpoint } = this.#options;
    signal.throwIfAborted();
    this.#tools.begin(signal);
    const before = modelFailure(endpoint);
    const failure = (): AgentOsError | undefined => {
      const seen = modelFailure(endpoint);
      return seen === before ? undefined : seen;
    };
    const turn = new PiTurn({ host, tools: this.#tools, signal, failure });
    this.#turn = turn;
    const abort = (): void => this.#abort();
    signal.addEventListener("abort", abort, { once: true });
    const endWatch = watchFailure(endpoint, abort);
    try {
      await begin();
      return await turn.ended;
    } finally {
      endWatch();
      this.settled();
      signal.removeEventListener("abort", abort);
      this.#turn = undefined;
    }
  }

  async steer(content: Content): Promise<void> {
    const message = await piMessage(this.#options.host.vm, content, "user");
    await this.#requests.ask({ type: "steer", ...message });
  }

  async setModel(model: string): Promise<void> {
    const request = { type: "set_model", provider: PI_PROVIDER, modelId: model };
    await this.#requests.ask(request).catch((error: unknown) => {
      if (!(error instanceof Error) || error instanceof AgentOsError) throw error;
      const reason = error.message;
      const message = `pi does not take the model ${model}: ${reason}`;
      throw new AgentOsError("MODEL_SWITCH_FAILED", message, { model, reason });
    });
  }

  async compact(): Promise<void> {
    await this.#requests.ask({ type: "compact" }).catch((error: unknown) => {
      if (!(error instanceof Error) || error instanceof AgentOsError) throw error;
      // A conversation that is short enough needs none.
      if (/nothing to compact/i.test(error.message)) return;
      const reason = error.message;
      const details = { provider: PI_PROVIDER, reason };
      throw (
        modelFailure(this.#options.endpoint) ??
        new AgentOsError("PROVIDER_FAILED", `pi could not compact: ${reason}`, details)
      );
    });
  }

  protected async greet(): Promise<void> {
    const state = await this.#requests.ask({ type: "get_state" });
    this.#agentSessionId = PiState.parse(state).sessionId;
    this.#isBegun = this.#options.request.agentSessionId !== undefined;
  }

  protected override memo(): Json {
    return { agentSessionId: this.#agentSessionId, said: this.#said };
  }

  protected override async remember(memo: Json): Promise<void> {
    const { agentSessionId, said } = PiMemo.parse(memo);
    this.#agentSessionId = agentSessionId;
    this.#said = said;
  }

  protected gone(exit: AgentOsError<"AGENT_EXITED">): AgentOsError {
    const { agentSessionId, sessionId } = this.#options.request;
    const isLost = agentSessionId !== undefined && !this.#isBegun && lost(exit.details.stderr);
    const error = isLost ? lostSession(sessionId, exit.details.stderr) : exit;
    this.#requests.close(error);
    this.#turn?.gone(error, this.#isBegun);
    return error;
  }

  protected take(line: AgentLine, isAgain: boolean): Promise<void> | "end" | undefined {
    const { host } = this.#options;
    const value = line.kind === "json" ? line.value : undefined;
    if (!isAgain && !REPEATS.has(typeOf(value))) host.emit(rawEvent(line));
    const known = value === undefined ? undefined : parsePiLine(value);
    if (known?.type === "extension_ui_request") return this.#dialog(known);
    if (known?.type === "response") this.#requests.answered(known);
    else if (known !== undefined) this.#told(known);
    return known?.type === "agent_settled" ? "end" : undefined;
  }

  #told(line: PiLine): void {
    if (
      line.type === "compaction_end" &&
      line.aborted !== true &&
      line.errorMessage === undefined
    ) {
      const summary = line.result?.summary;
      this.#options.host.emit({
        type: "compaction",
        ...(summary === undefined ? {} : { summary }),
      });
    }
    // It writes a conversation down with its first answer: before that there is nothing to go on with.
    if (line.type === "message_end" && line.message.role === "assistant") {
      this.#isBegun = true;
      const said = JSON.stringify(line);
      this.#said = said.length <= MEMO_CHARS ? said : null;
      this.#options.host.recordSession(this.#agentSessionId);
    }
    this.#turn?.take(line);
  }

  /** Whoever is asked something that is none of ours gives no answer: that is a no. */
  async #dialog({ id, method, title, placeholder }: PiDialog): Promise<void> {
    if (!["input", "select", "confirm", "editor"].includes(method)) return;
    const question = title === DIALOG ? questionIn(placeholder) : undefined;
    const answer = question === undefined ? undefined : await this.#tools.answer(question);
    const said = answer === undefined ? { cancelled: true } : { value: JSON.stringify(answer) };
    // A program that is gone needs no answer.
    await this.send({ type: "extension_ui_response", id, ...said }).catch(() => undefined);
  }

  #abort(): void {
    // A turn that does not end is the engine's to give up.
    this.#requests.ask({ type: "abort" }).catch(() => undefined);
  }
}

function questionIn(text: string | undefined): PiQuestion | undefined {
  try {
    return PiQuestion.safeParse(JSON.parse(text ?? "")).data;
  } catch {
    return undefined;
  }
}

function typeOf(value: Json | undefined): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "";
  const { type }: JsonObject = value;
  return typeof type === "string" ? type : "";
}

function lost(stderr: readonly string[]): boolean {
  return stderr.some((line) => /no session found/i.test(line));
}

function lostSession(sessionId: string, stderr: readonly string[]): AgentOsError<"RESUME_LOST"> {
  const reason = stderr.findLast((line) => line.trim() !== "") ?? "pi does not know it";
  const message = `session ${sessionId} can't be resumed: ${reason}`;
  return new AgentOsError("RESUME_LOST", message, { sessionId, reason });
}
