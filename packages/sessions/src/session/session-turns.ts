import { randomUUID } from "node:crypto";

import type { StoredTurn } from "@agentos/core";
import {
  type Content,
  DEFAULTS,
  type ParsedParams,
  type TurnResult,
  type TurnSource,
} from "@agentos/protocol";

import type { AgentLink } from "./agent-link.ts";
import { assertPrompt } from "./assert-prompt.ts";
import { asAgentOsError, nothing } from "./deadline.ts";
import { endTurn } from "./end-turn.ts";
import { sessionBusy } from "./session-errors.ts";
import type { SessionParts } from "./session-parts.ts";
import type { LeftTurns } from "./settle-interrupted.ts";
import type { TurnEnd } from "./turn-end.ts";
import { TurnQueue } from "./turn-queue.ts";
import { TurnRun } from "./turn-run.ts";
import { Waiters } from "./waiters.ts";

type Prompt = Omit<ParsedParams<"session.prompt">, "vmId" | "sessionId" | "source"> & {
  source: TurnSource;
};

export interface SessionTurnsOptions {
  readonly parts: SessionParts;
  readonly link: AgentLink;
  /** What an earlier life had taken and not ended. The VM's holder comes first, then those that it had not begun. */
  readonly left: LeftTurns;
  /** Throws where the session takes no more of them. */
  readonly assertOpen: () => void;
  /** Whether the session begins no further turn. */
  readonly isClosing: () => boolean;
  /** A prompt is stored. */
  readonly onPrompt: () => void;
  /** A turn has run to its end. */
  readonly onEnd: () => void;
  readonly onChange: () => void;
}

/** The turns of a session, one after another: those that wait, the one that runs, and who waits for an end. */
export class SessionTurns {
  readonly #parts: SessionParts;
  readonly #options: SessionTurnsOptions;
  readonly #queue: TurnQueue;
  readonly #idle: Waiters;
  readonly #results = new Map<string, PromiseWithResolvers<TurnResult>>();
  #run: { turn: TurnRun; ended: Promise<TurnResult> } | undefined;
  /** Lets the VM go that the last turn held. */
  #release = nothing;
  /** Hooks beside the turns; the next turn waits for them. */
  #beside: Promise<void> = Promise.resolve();
  #isDormant: boolean;

  constructor(options: SessionTurnsOptions) {
    const {
      parts,
      left: { queued },
    } = options;
    const { clock } = parts.host;
    this.#parts = parts;
    this.#options = options;
    this.#idle = new Waiters(clock);
    this.#isDormant = queued.length > 0;
    this.#queue = new TurnQueue({
      clock,
      spacingMs: parts.spec.turnSpacingMs ?? DEFAULTS.turnSpacingMs,
      queued,
      due: () => this.pump(),
    });
  }

  get running(): TurnRun | undefined {
    return this.#run?.turn;
  }

  /** How many wait. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Resolves once the hooks beside the turns are done. */
  get beside(): Promise<void> {
    return this.#beside;
  }

  /** Its VM's holder is back: what an earlier life had queued goes on. */
  held(fence: number): void {
    if (this.#run === undefined) this.#parts.access.see(fence);
    this.#isDormant = false;
  }

  /** Takes a prompt as a turn: it is stored when this returns. The same turnId again is the same turn. */
  prompt(prompt: Prompt): { turnId: string; seq: number } {
    const { turnId, content, source, fence } = prompt;
    const { record, host, access } = this.#parts;
    const known = host.store.turnSeq(record.key, turnId);
    if (known !== undefined) return { turnId, seq: known };
    assertPrompt(content);
    this.#options.assertOpen();
    this.#assertMayWait(prompt);
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
    this.#options.onPrompt();
    this.#isDormant = false;
    this.pump();
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

  /** Whether no turn runs or waits, within the time. */
  async waitForIdle(timeoutMs: number | undefined, signal: AbortSignal): Promise<boolean> {
    if (this.#isQuiet) return true;
    return await this.#idle.wait(timeoutMs, signal);
  }

  /** The next turn waits for it. A failure is told as a notice. */
  later(work: Promise<void>): void {
    const before = this.#beside;
    this.#beside = Promise.all([before, work]).then(
      () => undefined,
      (error: unknown) => this.#parts.notice(asAgentOsError(error).message),
    );
  }

  /** Goes on with the turn that an earlier life had begun, where its agent does. */
  goOn(): void {
    const { left, link } = this.#options;
    const { running } = left;
    if (running !== undefined) this.#begin(new TurnRun(this.#parts, link, running.turn, running));
  }

  /** Begins the next turn, where one waits and none runs. */
  pump(): void {
    if (this.#run !== undefined || this.#isDormant || this.#options.isClosing()) return;
    const { state } = this.#parts.record.now;
    if (state !== "idle") return;
    if (this.#queue.size === 0) return this.#quiet();
    const turn = this.#queue.next();
    if (turn === undefined) return;
    this.#begin(new TurnRun(this.#parts, this.#options.link, turn));
    this.#options.onChange();
  }

  #begin(run: TurnRun): void {
    this.#run = { turn: run, ended: this.#runTurn(run) };
  }

  /** Ends those that wait, and asks the one that runs to end; resolves once that is written. */
  async endAll(): Promise<void> {
    for (const turn of this.#queue.clear()) this.#endUnrun(turn);
    this.stop({ stopReason: "cancelled", text: "" });
    await this.#run?.ended;
  }

  /** Asks the one that runs to end. */
  stop(end: TurnEnd): void {
    this.#run?.turn.stop(end);
  }

  /** There are no more turns: whoever waits for that is told. */
  tellIdle(): void {
    this.#idle.tellAll();
  }

  async #runTurn(run: TurnRun): Promise<TurnResult> {
    await this.#beside;
    const { result, release } = await run.run(() => this.#letGo());
    this.#release = release;
    this.#run = undefined;
    this.#options.onEnd();
    this.#queue.ended(result);
    this.#told(result);
    if (result.stopReason !== "cancelled") {
      const data = { responseText: result.text, stopReason: result.stopReason };
      this.later(this.#parts.hooks.observe("post_turn", data, result.turnId));
    }
    this.#options.onChange();
    this.pump();
    this.#quiet();
    return result;
  }

  /** Throws `SESSION_BUSY` or `POOL_EXHAUSTED`. */
  #assertMayWait({ whenBusy }: Prompt): void {
    const running = this.#run?.turn.turn.turnId ?? this.#queue.first?.turnId;
    if (whenBusy === "reject" && running !== undefined)
      throw sessionBusy(this.#parts.record.sessionId, running);
    this.#queue.assertRoom();
    this.#parts.makeRoom();
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

  get #isQuiet(): boolean {
    return this.#run === undefined && this.#queue.size === 0;
  }
}
