import type { RuntimeSession } from "@agentos/core";
import {
  AgentOsError,
  type Content,
  DEFAULTS,
  type RequestAnswer,
  type TurnResult,
  type TurnSource,
} from "@agentos/protocol";

import { AgentControls } from "./agent-controls.ts";
import { AgentLink } from "./agent-link.ts";
import { countCall } from "./count-call.ts";
import { asAgentOsError, within } from "./deadline.ts";
import type { OpenRequests } from "./open-requests.ts";
import { sessionClosed } from "./session-errors.ts";
import type { CountedCall, SessionParts } from "./session-parts.ts";
import type { SessionRecord } from "./session-record.ts";
import { SessionTurns } from "./session-turns.ts";
import { SessionView } from "./session-view.ts";
import type { LeftTurns } from "./settle-interrupted.ts";
import { Triggers } from "./triggers.ts";
import type { TurnRun } from "./turn-run.ts";
import { Wakeup } from "./wakeup.ts";

export interface SessionOptions {
  readonly parts: SessionParts;
  readonly requests: OpenRequests;
  /** What an earlier life had taken and not ended. */
  readonly left?: LeftTurns;
  /** Its life is over: nothing of it runs. */
  readonly onClosed: () => void;
  readonly onChange: () => void;
}

const NOTHING_LEFT: LeftTurns = { queued: [], running: undefined };

/** One open conversation with an agent: its life, and what may be asked of it. */
export class Session {
  /** What may be done to its agent beside prompts. */
  readonly controls: AgentControls;
  readonly #parts: SessionParts;
  readonly #options: SessionOptions;
  readonly #link: AgentLink;
  readonly #turns: SessionTurns;
  readonly #wakeup: Wakeup;
  readonly #triggers: Triggers;
  readonly #life = new AbortController();
  readonly #children = new Set<Session>();
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    const { parts, left = NOTHING_LEFT, onChange } = options;
    this.#parts = parts;
    this.#options = options;
    this.#wakeup = new Wakeup(parts.record, parts.host.clock);
    const link = new AgentLink(parts, () => this.runningTurn);
    this.#link = link;
    this.#turns = new SessionTurns({
      parts,
      link,
      left,
      assertOpen: () => this.#assertOpen(),
      isClosing: () => this.#closing !== undefined,
      onPrompt: () => this.#wakeup.tell(),
      onEnd: () => options.requests.endEarlier(),
      onChange,
    });
    this.controls = new AgentControls({
      parts,
      link,
      run: () => this.runningTurn,
      beside: (work) => this.#turns.later(work),
      life: this.#life.signal,
    });
    this.#triggers = new Triggers(parts, (content) => this.ask(content, "trigger"));
    void parts.access.ended.then((reason) => this.#vmEnded(reason));
    this.#turns.goOn();
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
      turnId: this.runningTurn?.turn.turnId ?? null,
      queued: this.#turns.queued,
      pending: this.#options.requests.pending,
      tools: this.#link.tools,
      modes: this.#link.session?.modes,
      rateLimits: this.#link.rateLimits,
    }));
  }

  /** The agent's own session, while it lives. */
  get agent(): RuntimeSession | undefined {
    return this.#link.session;
  }

  /** Whether a turn runs. */
  get isBusy(): boolean {
    return this.runningTurn !== undefined;
  }

  get runningTurn(): TurnRun | undefined {
    return this.#turns.running;
  }

  /** Starts the agent. Rejects where it can't be, and nothing of it is left. */
  async start(): Promise<void> {
    this.#starting = this.#start();
    // Who closes it meanwhile asks only whether it is over.
    this.#starting.catch(() => undefined);
    await this.#starting;
    this.#turns.pump();
  }

  /** The agent knows nothing of the session: its first turn is the fresh prompt, where there is one. */
  beginsAnew(): void {
    this.#link.oweFreshPrompt();
  }

  /** Its VM's holder is back: what an earlier life had queued goes on. */
  held(fence: number): void {
    this.#turns.held(fence);
    if (this.#parts.record.now.state !== "starting") this.#triggers.start();
    this.#turns.pump();
  }

  /** Takes a prompt as a turn: it is stored when this returns. The same turnId again is the same turn. */
  prompt(prompt: Parameters<SessionTurns["prompt"]>[0]): { turnId: string; seq: number } {
    return this.#turns.prompt(prompt);
  }

  /** The same for the engine itself: resolves with the turn's result. */
  async ask(content: Content, source: TurnSource): Promise<TurnResult> {
    return await this.#turns.ask(content, source);
  }

  /** Starts its agent again where it is gone, between turns. Rejects where it can't be. */
  async revive(): Promise<void> {
    this.#assertOpen();
    // The turn that runs does so by itself.
    if (this.isBusy) return;
    const { access } = this.#parts;
    const release = access.hold(access.fence, (error) => this.#life.abort(error));
    const revived = this.#link.ready(this.#life.signal).finally(release);
    this.#turns.later(
      revived.then(
        () => undefined,
        () => undefined,
      ),
    );
    await revived;
  }

  /** Ends the turn that runs now, or the one named; resolves with which, once its end is written. Never another one. */
  async cancel(turnId?: string): Promise<string | null> {
    return await this.#turns.cancel(turnId);
  }

  /** Throws `NOT_FOUND`, `REQUEST_SETTLED` or `INVALID_ARGUMENT`. */
  respond(requestId: string, answer: RequestAnswer): void {
    this.#options.requests.respond(requestId, answer);
    this.wake();
  }

  /** Something in the background has ended, or somebody spoke. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Whether no turn runs or waits, within the time. */
  async waitForIdle(timeoutMs: number | undefined, signal: AbortSignal): Promise<boolean> {
    return await this.#turns.waitForIdle(timeoutMs, signal);
  }

  /** Whether something woke it since it was last asked, within the time. */
  async waitForWakeup(timeoutMs: number | undefined, signal: AbortSignal): Promise<boolean> {
    if (this.#wakeup.take()) return true;
    this.#assertOpen();
    return await this.#wakeup.wait(timeoutMs, signal);
  }

  signalIdle(): void {
    this.#assertOpen();
    this.#wakeup.take();
  }

  /** Of the transcript what was told before the turn that runs; the agent keeps what it knows. */
  clearHistory(): void {
    this.#assertOpen();
    const { record } = this.#parts;
    const change = { turns: 0, compactions: [], lastResponse: null };
    const dropEventsTo = this.runningTurn?.turn.seq ?? record.now.lastSeq;
    record.write({ clearHistory: true, dropEventsTo, change });
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
    const run = this.runningTurn;
    if (run === undefined) countCall(this.#parts, { ...call, agent }, undefined);
    else run.modelCalled({ ...call, agent });
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
      this.#turns.later(hooks.observe("session_start", this.#about(), null));
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
    await Promise.all([
      this.#turns.endAll(),
      ...[...this.#children].map((child) => child.close(reason)),
    ]);
    this.#options.requests.endEarlier();
    const failure = await this.#endAgent();
    const state = failure === undefined ? "closed" : "failed";
    record.write({ state, reason: failure?.message ?? reason });
    access.release();
    this.#wakeup.fail(sessionClosed(this.sessionId, state));
    this.#turns.tellIdle();
    this.#options.onClosed();
    if (failure !== undefined) throw failure;
  }

  async #endAgent(): Promise<AgentOsError | undefined> {
    const { hooks, host, spec } = this.#parts;
    const shutdownMs = spec.timeouts?.shutdownMs ?? DEFAULTS.agentShutdownMs;
    await within(host.clock, shutdownMs, this.#turns.beside);
    await within(host.clock, shutdownMs, hooks.observe("session_end", this.#about(), null)).catch(
      (error: unknown) => this.#parts.notice(asAgentOsError(error).message),
    );
    return await this.#link.close().then(
      () => undefined,
      (error: unknown) => asAgentOsError(error),
    );
  }

  #vmEnded(reason: string): void {
    if (!this.#parts.record.isOpen) return;
    const { vmId } = this.#parts.access;
    const error = new AgentOsError("VM_ENDED", `VM ${vmId} has ended: ${reason}`, { vmId, reason });
    this.#turns.stop({ stopReason: "error", text: "", error });
    // Its failure is in the log already.
    this.close(`its VM has ended: ${reason}`).catch(() => undefined);
  }

  #about(): { sessionId: string; runtime: string } {
    return { sessionId: this.sessionId, runtime: this.#parts.spec.runtime };
  }

  #assertOpen(): void {
    const { record } = this.#parts;
    if (record.isOpen && this.#closing === undefined) return;
    throw sessionClosed(this.sessionId, record.isOpen ? "closed" : record.now.state);
  }
}
