import { randomInt } from "node:crypto";
import { posix } from "node:path";

import type {
  AgentEndpoint,
  AgentTrace,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
  RuntimeTurn,
  RuntimeTurnResult,
} from "@agentos/core";
import { AgentOsError, type Content, type Json, type JsonObject } from "@agentos/protocol";

import { type AgentLine, rawEvent } from "../agent-process/agent-line.ts";
import { LinePeer, LinePeerError } from "../agent-process/line-peer.ts";
import { AgentProgram, type ProgramOptions } from "../agent-program/agent-program.ts";
import { answered } from "../agent-program/open-conversation.ts";
import { writeVmFile } from "../vm/write-vm-file.ts";
import { dynamicTools, threadParams } from "./codex-command.ts";
import { userInput } from "./codex-content.ts";
import { codexFailure, lostThread } from "./codex-failure.ts";
import { CodexHook, HOOKS_FILE, PORT_VARIABLE } from "./codex-hook.ts";
import {
  CodexMemo,
  type CodexTurn,
  HooksResult,
  ThreadResult,
  TurnParams,
  TurnResult,
} from "./codex-message.ts";
import { CodexTools } from "./codex-tools.ts";
import { CodexRun } from "./codex-turn.ts";

/** Until Codex answers a request of ours. */
const ANSWER_MS = 30_000;
/** Of what it said last, kept for another life of the sidecar. */
const SAID_CHARS = 64 * 1024;
const CLIENT = { name: "agentos", title: "AgentOS", version: "1" };
const METHOD_NOT_FOUND = -32_601;

export interface CodexSessionOptions {
  readonly request: RuntimeRequest;
  readonly host: RuntimeHost;
  readonly endpoint: AgentEndpoint;
  readonly home: string;
  readonly program: ProgramOptions;
}

/** One conversation with Codex: its app server in the VM. */
export class CodexSession extends AgentProgram implements RuntimeSession {
  readonly #options: CodexSessionOptions;
  readonly #tools: CodexTools;
  readonly #peer: LinePeer;
  #hook: CodexHook | undefined;
  #threadId = "";
  #run: CodexRun | undefined;
  /** Codex's own id of the running turn. */
  #turnId: string | undefined;
  #isBegun = false;
  /** What the life before knew. */
  #left: CodexMemo | undefined;

  /** Rejects with `RESUME_LOST`, or as starting the program does; then nothing of it is left. */
  static async open(
    options: CodexSessionOptions,
    signal: { signal: AbortSignal },
  ): Promise<CodexSession> {
    return await AgentProgram.opened(new CodexSession(options), signal);
  }

  /** One that an earlier life has opened and prompted. Rejects where it is gone. */
  static async adopt(options: CodexSessionOptions, trace: AgentTrace): Promise<CodexSession> {
    const session = new CodexSession(options);
    session.#isBegun = true;
    return await AgentProgram.adopted(session, trace);
  }

  private constructor(options: CodexSessionOptions) {
    super(options.program, options.host);
    this.#options = options;
    this.#tools = new CodexTools(options.host, options.request.tools);
    this.#peer = new LinePeer({
      hasVersion: false,
      // Answers to those of an earlier life may still come.
      firstId: randomInt(1, 2 ** 31),
      send: (message) => this.send(message),
      onRequest: (method, params) => this.#asked(method, params),
      onNotification: (method, params) => this.#told(method, params),
    });
  }

  async prompt(given: RuntimeTurn): Promise<RuntimeTurnResult> {
    const { host, request } = this.#options;
    const input = await userInput(host, given);
    const { outputSchema, thinking } = request.spec;
    const effort = thinking === "off" ? "none" : thinking;
    return await this.#running(given.signal, async () => {
      const result = await this.#request("turn/start", {
        threadId: this.#threadId,
        input,
        ...(outputSchema === undefined ? {} : { outputSchema }),
        ...(effort === undefined ? {} : { effort }),
      });
      this.#turnId = TurnResult.parse(result).turn.id;
      this.prompted(given.turnId);
    });
  }

  async goOn({
    turnId,
    signal,
  }: Pick<RuntimeTurn, "turnId" | "signal">): Promise<RuntimeTurnResult> {
    return await this.#running(signal, async () => {
      this.#tools.restore(this.#options.host.openCalls);
      this.#turnId = this.#left?.turnId ?? undefined;
      if (this.#run !== undefined) this.#run.text = this.#left?.said ?? "";
      await this.readOn(turnId);
    });
  }

  async steer(content: Content): Promise<void> {
    const { host } = this.#options;
    const input = await userInput(host, { content, from: "user", attempt: 0 });
    const expectedTurnId = this.#turnId ?? "";
    await this.#request("turn/steer", { threadId: this.#threadId, expectedTurnId, input });
  }

  async setModel(model: string): Promise<void> {
    try {
      await this.#request("thread/settings/update", { threadId: this.#threadId, model });
    } catch (error) {
      if (!(error instanceof LinePeerError)) throw error;
      const reason = error.message;
      const message = `codex does not take the model ${model}: ${reason}`;
      throw new AgentOsError("MODEL_SWITCH_FAILED", message, { model, reason });
    }
  }

  async compact(): Promise<void> {
    const { signal } = new AbortController();
    const { error } = await this.#running(signal, async () => {
      await this.#request("thread/compact/start", { threadId: this.#threadId });
    });
    if (error !== undefined) throw error;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#hook?.[Symbol.asyncDispose]();
  }

  protected override async prepare(): Promise<Readonly<Record<string, string>>> {
    const { host, home } = this.#options;
    this.#hook = await CodexHook.open(host.vm, (input) => this.#tools.beforeTool(input));
    const { files } = host.vm.handle();
    await files.mkdir(home, { mode: 0o700, recursive: true });
    const hooks = Buffer.from(JSON.stringify(HOOKS_FILE));
    await writeVmFile(files, posix.join(home, "hooks.json"), hooks);
    return { [PORT_VARIABLE]: String(this.#hook.port) };
  }

  protected async greet(): Promise<void> {
    const capabilities = { experimentalApi: true };
    await this.#request("initialize", { clientInfo: CLIENT, capabilities });
    await this.#peer.notify("initialized", {});
    await this.#trustHook();
    await this.#openThread();
  }

  /** Codex runs no hook that nobody has looked at: this one is ours. Without it nothing would stand before its tools. */
  async #trustHook(): Promise<void> {
    const { cwd } = this.#options.request;
    const [hook] = await this.#hooks(cwd);
    if (hook === undefined) throw hookMissing();
    if (hook.trustStatus === "trusted") return;
    const value = { [hook.key]: { trusted_hash: hook.currentHash } };
    const edits = [{ keyPath: "hooks.state", value, mergeStrategy: "upsert" }];
    await this.#request("config/batchWrite", { edits, reloadUserConfig: true });
    const [trusted] = await this.#hooks(cwd);
    if (trusted?.trustStatus !== "trusted") throw hookMissing();
  }

  async #hooks(cwd: string) {
    const { data } = HooksResult.parse(await this.#request("hooks/list", { cwds: [cwd] }));
    return data
      .flatMap(({ hooks }) => hooks)
      .filter(({ command }) => command?.includes(PORT_VARIABLE));
  }

  async #openThread(): Promise<void> {
    const { request } = this.#options;
    const { agentSessionId: threadId, sessionId, tools } = request;
    const params = threadParams(request);
    if (threadId === undefined) {
      const made = { ...params, dynamicTools: dynamicTools(tools) };
      this.#threadId = ThreadResult.parse(await this.#request("thread/start", made)).thread.id;
      return;
    }
    const resumed = { ...params, threadId, excludeTurns: true };
    const result = await this.#request("thread/resume", resumed).catch((error: unknown) => {
      throw error instanceof LinePeerError ? lostThread(sessionId, error.message) : error;
    });
    this.#threadId = ThreadResult.parse(result).thread.id;
    this.#isBegun = true;
  }

  /** A turn from its start to its notification of the end. */
  async #running(signal: AbortSignal, begin: () => Promise<void>): Promise<RuntimeTurnResult> {
    const { host, endpoint, request } = this.#options;
    signal.throwIfAborted();
    this.#tools.begin(signal);
    const run = new CodexRun({
      host,
      tools: this.#tools,
      spec: request.spec,
      signal,
      failure: (error) => codexFailure(error, endpoint),
    });
    this.#run = run;
    const interrupt = (): void => void this.#interrupt();
    signal.addEventListener("abort", interrupt, { once: true });
    try {
      await begin();
      if (signal.aborted) interrupt();
      return await run.ended;
    } finally {
      signal.removeEventListener("abort", interrupt);
      this.settled();
      this.#run = undefined;
      this.#turnId = undefined;
    }
  }

  protected override memo(): CodexMemo {
    const said = (this.#run?.text ?? "").slice(0, SAID_CHARS);
    const hookPort = this.#hook?.port ?? 0;
    return { threadId: this.#threadId, hookPort, turnId: this.#turnId ?? null, said };
  }

  protected override async remember(memo: Json): Promise<void> {
    const { host } = this.#options;
    this.#left = CodexMemo.parse(memo);
    const { threadId, hookPort } = this.#left;
    this.#threadId = threadId;
    this.#hook = await CodexHook.open(host.vm, (input) => this.#tools.beforeTool(input), hookPort);
  }

  protected gone(exit: AgentOsError<"AGENT_EXITED">): AgentOsError {
    this.#peer.close(exit);
    this.#run?.gone(exit, this.#isBegun);
    return exit;
  }

  protected take(line: AgentLine, isAgain: boolean): Promise<void> | "end" | undefined {
    const message = line.kind === "json" ? line.value : undefined;
    const method = methodOf(message);
    if (!isAgain && !/delta$/i.test(method)) this.#options.host.emit(rawEvent(line));
    if (message === undefined) return undefined;
    return this.#peer.receive(message) ?? (method === "turn/completed" ? "end" : undefined);
  }

  #told(method: string, params: Json): void {
    const turn = TurnParams.safeParse(params).data?.turn;
    if (method === "turn/started") this.#begun(turn?.id);
    if (method === "turn/completed" && turn !== undefined) this.#completed(turn);
    else this.#run?.take(method, params);
  }

  #completed(turn: CodexTurn): void {
    answered(this.#options.host.state);
    this.#run?.completed(turn);
  }

  /** From here on there is something to go on with. */
  #begun(turnId: string | undefined): void {
    this.#isBegun = true;
    this.#turnId = turnId ?? this.#turnId;
    this.#options.host.recordSession(this.#threadId);
  }

  async #asked(method: string, params: Json): Promise<Json> {
    if (method === "item/tool/call") return await this.#tools.call(params);
    // The hook has decided already.
    if (method.endsWith("/requestApproval")) return { decision: "accept" };
    throw new LinePeerError(METHOD_NOT_FOUND, `agentos has no answer to ${method}`, undefined);
  }

  async #interrupt(): Promise<void> {
    const turnId = this.#turnId;
    if (turnId === undefined) return;
    const params = { threadId: this.#threadId, turnId };
    // A turn that does not end is the engine's to give up.
    await this.#request("turn/interrupt", params).catch(() => undefined);
  }

  async #request(method: string, params: JsonObject): Promise<Json> {
    return await this.#peer.request(method, params, { timeoutMs: ANSWER_MS });
  }
}

function methodOf(message: Json | undefined): string {
  if (typeof message !== "object" || message === null || Array.isArray(message)) return "";
  const { method } = message;
  return typeof method === "string" ? method : "";
}

function hookMissing(): AgentOsError<"PROTOCOL_ERROR"> {
  const reason = "codex does not take the hook before its tools";
  return new AgentOsError("PROTOCOL_ERROR", reason, { reason });
}
