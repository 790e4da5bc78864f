import { randomUUID } from "node:crypto";

import type { RuntimeSession, StoredTurn } from "@agentos/core";
import {
  AgentOsError,
  type Content,
  DEFAULTS,
  type ParsedParams,
  type RequestAnswer,
  type TurnResult,
  type TurnSource,
} from "@agentos/protocol";

import { AgentControls } from "./agent-controls.ts";
import { AgentLink } from "./agent-link.ts";
import { assertPrompt } from "./assert-prompt.ts";
import { countCall } from "./count-call.ts";
import { asAgentOsError, nothing, within } from "./deadline.ts";
import { endTurn } from "./end-turn.ts";
import type { OpenRequests } from "./open-requests.ts";
import { sessionBusy, sessionClosed } from "./session-errors.ts";
import type { CountedCall, SessionParts } from "./session-parts.ts";
import type { SessionRecord } from "./session-record.ts";
import { SessionView } from "./session-view.ts";
import { Triggers } from "./triggers.ts";
import { TurnQueue } from "./turn-queue.ts";
import { TurnRun } from "./turn-run.ts";
import { Waiters } from "./waiters.ts";

type Prompt = Omit<ParsedParams<"session.prompt">, "vmId" | "sessionId" | "source"> & {
  source: TurnSource;
};

export interface SessionOptions {
  readonly parts: SessionParts;
  readonly requests: OpenRequests;
  /** Turns that an earlier life had taken and not begun. */
  readonly queued?: readonly StoredTurn[];
  /** Its life is over: nothing of it runs. */
  readonly onClosed: () => void;
  readonly onChange: () => void;
}

/** One open conversation with an agent: what may be asked of it, and its turns one after another. */
export class Session {
  readonly #parts: SessionParts;
  readonly #options: SessionOptions;
  readonly #link: AgentLink;
  readonly #queue: TurnQueue;
  readonly #idle: Waiters;
  readonly #wakeup: Waiters;
  readonly #life = new AbortController();
  #run: { turn: TurnRun; ended: Promise<TurnResult> } | undefined;
  /** Lets the VM go that the last turn held. */
  #release = nothing;
  /** Hooks beside the turns; the next turn waits for them. */
  #beside: Promise<void> = Promise.resolve();
  #isDormant: boolean;
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #children = new Set<Session>();
  readonly #results = new Map<string, PromiseWithResolvers<TurnResult>>();
  readonly #triggers: Triggers;
  /** What may be done to its agent beside prompts. */
  readonly controls: AgentControls;

  constructor(options: SessionOptions) {
    const { parts, queued = [] } = options;
    this.#parts = parts;
    this.#options = options;
    const { clock } = parts.host;
    this.#idle = new Waiters(clock);
    this.#wakeup = new Waiters(clock);
    this.#link = new AgentLink(parts, () => this.#run?.turn);
    // The holder of an earlier life's turns comes first.
    this.#isDormant = queued.length > 0;
    this.#queue = new TurnQueue({
      clock,
      spacingMs: parts.spec.turnSpacingMs ?? DEFAULTS.turnSpacingMs,
      queued,
      due: () => this.#pump(),
    });
    this.controls = new AgentControls({
      parts,
      link: this.#link,
      run: () => this.#run?.turn,
      beside: (work) => this.#later(work),
      life: this.#life.signal,
    });
    this.#triggers = new Triggers(parts, (content) => this.ask(content, "trigger"));
    void parts.access.ended.then((reason) => this.#vmEnded(reason));
  }

  get sessionId(): string {
    return this.#parts.record.sessionId;
  }

  get parts(): SessionParts {
    return this.#parts;
  }

  get record(): SessionRecord {
    return this.#parts.record;
  }

  /** What may be read of it. */
  get view(): SessionView {
    return new SessionView(this.#parts.record, this.#parts.host.store, () => ({
      turnId: this.#run?.turn.turn.turnId ?? null,
      queued: this.#queue.size,
      pending: this.#options.requests.pending,
      tools: this.#link.tools,
    }));
  }

  /** The agent's own session, while it lives. */
  get agent(): RuntimeSession | undefined {
    return this.#link.session;
  }

  /** Whether a turn runs. */
  get isBusy(): boolean {
    return this.#run !== undefined;
  }

  /** Starts the agent. Rejects where it can't be, and nothing of it is left. */
  async start(): Promise<void> {
    this.#starting = this.#start();
    // Who closes it meanwhile asks only whether it is over.
    this.#starting.catch(() => undefined);
    await this.#starting;
    this.#pump();
  }

  /** The agent knows nothing of the session: its first turn is the fresh prompt, where there is one. */
  beginsAnew(): void {
    this.#link.oweFreshPrompt();
  }

  /** Its VM's holder is back: what an earlier life had queued goes on. */
  held(fence: number): void {
    if (this.#run === undefined) this.#parts.access.see(fence);
    this.#isDormant = false;
    if (this.#parts.record.now.state !== "starting") this.#triggers.start();
    this.#pump();
  }

  /** Takes a prompt as a turn: it is stored when this returns. The same turnId again is the same turn. */
  prompt(prompt: Prompt): { turnId: string; seq: number } {
    const { turnId, content, source, fence } = prompt;
    const { record, host, access } = this.#parts;
    const known = host.store.turnSeq(record.key, turnId);
    if (known !== undefined) return { turnId, seq: known };
    assertPrompt(content);
    this.#assertOpen();
    const running = this.#run?.turn.turn.turnId ?? this.#queue.first?.turnId;
    if (prompt.whenBusy === "reject" && running !== undefined)
      throw sessionBusy(this.sessionId, running);
    this.#queue.assertRoom();
    if (this.#run === undefined) access.see(fence);
    const { lastSeq: seq } = record.now;
    const resumeOnRateLimit = prompt.resumeOnRateLimit ?? false;
    const turn = {
      turnId,
      content,
      source,
      resumeOnRateLimit,
      fence,
      seq,
      state: "queued",
    } as const;
    record.write({ addTurn: turn, change: { woken: true } });
    this.#queue.add(turn);
    this.#woken();
    this.#isDormant = false;
    this.#pump();
    return { turnId, seq };
  }

  /** The same for the engine itself: resolves with the turn's result. */
  async ask(content: Content, source: TurnSource): Promise<TurnResult> {
    const turnId = `${source}-${randomUUID()}`;
    const result = Promise.withResolvers<TurnResult>();
    this.#results.set(turnId, result);
    try {
      this.prompt({ turnId, content, source, fence: this.#parts.access.fence });
    } catch (error) {
      this.#results.delete(turnId);
      throw error;
    }
    return await result.promise;
  }

  /** Starts its agent again where it is gone, between turns. Rejects where it can't be. */
  async revive(): Promise<void> {
    this.#assertOpen();
    // The turn that runs does so by itself.
    if (this.#run !== undefined) return;
    const { access } = this.#parts;
    const release = access.hold(access.fence, (error) => this.#life.abort(error));
    const revived = this.#link.ready(this.#life.signal).finally(release);
    this.#later(
      revived.then(
        () => undefined,
        () => undefined,
      ),
    );
    await revived;
  }

  /** Ends the turn that runs now, or the one named; resolves with which, once its end is written. Never another one. */
  async cancel(turnId?: string): Promise<string | null> {
    const run = this.#run;
    if (run !== undefined && (turnId === undefined || run.turn.turn.turnId === turnId)) {
      run.turn.stop({ stopReason: "cancelled", text: "" });
      await run.ended;
      return run.turn.turn.turnId;
    }
    const queued = turnId === undefined ? undefined : this.#queue.take(turnId);
    if (queued === undefined) return null;
    this.#endUnrun(queued);
    return queued.turnId;
  }

  /** Throws `NOT_FOUND`, `REQUEST_SETTLED` or `INVALID_ARGUMENT`. */
  respond(requestId: string, answer: RequestAnswer): void {
    this.#options.requests.respond(requestId, answer);
    this.wake();
  }

  /** Something in the background has ended, or somebody spoke. */
  wake(): void {
    this.#parts.record.write({ change: { woken: true } });
    this.#woken();
  }

  /** Whether no turn runs or waits, within the time. */
  async waitForIdle(timeoutMs: number | undefined, signal: AbortSignal): Promise<boolean> {
    if (this.#isQuiet) return true;
    return await this.#idle.wait(timeoutMs, signal);
  }

  /** Whether something woke it since it was last asked, within the time. */
  async waitForWakeup(timeoutMs: number | undefined, signal: AbortSignal): Promise<boolean> {
    if (this.#takeWoken()) return true;
    this.#assertOpen();
    return await this.#wakeup.wait(timeoutMs, signal);
  }

  signalIdle(): void {
    this.#assertOpen();
    this.#takeWoken();
  }

  /** The agent keeps what it knows. */
  clearHistory(): void {
    this.#assertOpen();
    const change = { turns: 0, compactions: [], lastResponse: null };
    this.#parts.record.write({ clearHistory: true, change });
  }

  /** Ends with this one. */
  adopt(child: Session): void {
    this.#children.add(child);
  }

  forget(child: Session): void {
    this.#children.delete(child);
  }

  /** A subagent used something. Throws `BUDGET_EXHAUSTED`. */
  modelCalledBelow(call: CountedCall, agent: string): void {
    const run = this.#run?.turn;
    if (run === undefined) countCall(this.#parts, { ...call, agent }, undefined);
    else run.modelCalled({ ...call, agent });
  }

  get runningTurn(): TurnRun | undefined {
    return this.#run?.turn;
  }

  /** Ends the agent, its state kept. Resolves once nothing of it is left; every call shares the first one's end. */
  async close(reason?: string): Promise<void> {
    if (this.#closing === undefined && !this.#parts.record.isOpen) return;
    this.#closing ??= this.#close(reason);
    await this.#closing;
  }

  async #start(): Promise<void> {
    const { access, record, hooks } = this.#parts;
    const release = access.hold(access.fence, (error) => this.#life.abort(error));
    try {
      await this.#link.ready(this.#life.signal);
      this.#life.signal.throwIfAborted();
      record.write({ state: "idle" });
      this.#later(hooks.observe("session_start", this.#about(), null));
      this.#triggers.start();
    } catch (error) {
      await this.#link.close().catch(() => undefined);
      access.release();
      throw error;
    } finally {
      release();
    }
  }

  async #close(reason: string | undefined): Promise<void> {
    const { record, access } = this.#parts;
    this.#triggers.stop();
    this.#life.abort(sessionClosed(this.sessionId, "closed"));
    await this.#starting?.catch(() => undefined);
    // It never was: whoever opened it hears why, and leaves nothing of it.
    if (record.now.state === "starting") return;
    for (const turn of this.#queue.clear()) this.#endUnrun(turn);
    this.#run?.turn.stop({ stopReason: "cancelled", text: "" });
    await Promise.all([
      this.#run?.ended,
      ...[...this.#children].map((child) => child.close(reason)),
    ]);
    const failure = await this.#endAgent();
    const state = failure === undefined ? "closed" : "failed";
    record.write({ state, reason: failure?.message ?? reason });
    access.release();
    this.#wakeup.fail(sessionClosed(this.sessionId, state));
    this.#idle.tellAll();
    this.#options.onClosed();
    if (failure !== undefined) throw failure;
  }

  async #endAgent(): Promise<AgentOsError | undefined> {
    const { hooks, host, spec } = this.#parts;
    const shutdownMs = spec.timeouts?.shutdownMs ?? DEFAULTS.agentShutdownMs;
    await within(host.clock, shutdownMs, this.#beside);
    await within(host.clock, shutdownMs, hooks.observe("session_end", this.#about(), null)).catch(
      (error: unknown) => this.#parts.notice(asAgentOsError(error).message),
    );
    return await this.#link.close().then(
      () => undefined,
      (error: unknown) => asAgentOsError(error),
    );
  }

  #pump(): void {
    if (this.#run !== undefined || this.#isDormant || this.#closing !== undefined) return;
    const { state } = this.#parts.record.now;
    if (state !== "idle") return;
    if (this.#queue.size === 0) return this.#quiet();
    const turn = this.#queue.next();
    if (turn === undefined) return;
    const run = new TurnRun(this.#parts, this.#link, turn);
    this.#run = { turn: run, ended: this.#runTurn(run) };
    this.#options.onChange();
  }

  async #runTurn(run: TurnRun): Promise<TurnResult> {
    await this.#beside;
    const { result, release } = await run.run(() => this.#letGo());
    this.#release = release;
    this.#run = undefined;
    this.#queue.ended(result);
    this.#told(result);
    if (result.stopReason !== "cancelled") {
      const data = { responseText: result.text, stopReason: result.stopReason };
      this.#later(this.#parts.hooks.observe("post_turn", data, result.turnId));
    }
    this.#options.onChange();
    this.#pump();
    this.#quiet();
    return result;
  }

  /** Lets the VM of the turn before go: not as long as others wait, since an unnamed one would end under them. */
  #letGo(): void {
    const release = this.#release;
    this.#release = nothing;
    release();
  }

  #quiet(): void {
    if (!this.#isQuiet) return;
    this.#letGo();
    this.#idle.tellAll();
  }

  #endUnrun({ turnId }: StoredTurn): void {
    this.#told(endTurn(this.#parts.record, turnId, "cancelled"));
    this.#quiet();
  }

  #told(result: TurnResult): void {
    this.#results.get(result.turnId)?.resolve(result);
    this.#results.delete(result.turnId);
  }

  #vmEnded(reason: string): void {
    if (!this.#parts.record.isOpen) return;
    const { vmId } = this.#parts.access;
    const error = new AgentOsError("VM_ENDED", `VM ${vmId} has ended: ${reason}`, { vmId, reason });
    this.#run?.turn.stop({ stopReason: "error", text: "", error });
    // Its failure is in the log already.
    this.close(`its VM has ended: ${reason}`).catch(() => undefined);
  }

  #woken(): void {
    if (this.#wakeup.size === 0) return;
    this.#takeWoken();
    this.#wakeup.tellAll();
  }

  #takeWoken(): boolean {
    const { record } = this.#parts;
    if (!record.now.woken) return false;
    record.write({ change: { woken: false } });
    return true;
  }

  #later(work: Promise<void>): void {
    const before = this.#beside;
    this.#beside = Promise.all([before, work]).then(
      () => undefined,
      (error: unknown) => this.#parts.notice(asAgentOsError(error).message),
    );
  }

  #about(): { sessionId: string; runtime: string } {
    return { sessionId: this.sessionId, runtime: this.#parts.spec.runtime };
  }

  get #isQuiet(): boolean {
    return this.#run === undefined && this.#queue.size === 0;
  }

  #assertOpen(): void {
    const { record } = this.#parts;
    if (record.isOpen && this.#closing === undefined) return;
    throw sessionClosed(this.sessionId, record.isOpen ? "closed" : record.now.state);
  }
}
