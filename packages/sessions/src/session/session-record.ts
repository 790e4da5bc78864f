import type {
  Clock,
  SessionChange,
  SessionStore,
  SessionWrite,
  StoredSession,
  StoredTrace,
} from "@agentos/core";
import {
  DEFAULTS,
  type SessionEvent,
  type SessionHappening,
  type SessionState,
  type Step,
} from "@agentos/protocol";

import type { Flush, Flushable, FlushGroup } from "./flush-group.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import { assertFollows, isOpen } from "./session-states.ts";
import { type Entry, StepBuilder } from "./step-builder.ts";
import { Transcript } from "./transcript.ts";

export type Delta = Extract<SessionHappening, { type: "text" | "thought" | "tool_output" }>;

export interface RecordWrite extends Omit<SessionWrite, "events" | "steps" | "dropStepsBefore"> {
  readonly entries?: readonly Entry[];
  /** The state that the session gets with it, told after the entries. */
  readonly state?: SessionState;
  readonly reason?: string | undefined;
  readonly clearHistory?: boolean;
}

export interface RecordOptions {
  readonly key: string;
  readonly store: SessionStore;
  readonly stored: StoredSession;
  readonly clock: Clock;
  readonly flushes: FlushGroup;
  /** These are stored. */
  readonly onStored?: ((events: readonly SessionEvent[]) => void) | undefined;
  /** What was gathered could not be written. */
  readonly onFault: (error: unknown) => void;
}

interface Prepared {
  readonly write: SessionWrite;
  readonly events: readonly SessionEvent[];
  readonly next: SessionChange;
}

/** What is known and written of one session: its row, its transcript, its history. All that changes goes through `write`. */
export class SessionRecord implements Flushable {
  readonly key: string;
  readonly transcript: Transcript;
  readonly #options: RecordOptions;
  readonly #steps: StepBuilder;
  #stored: StoredSession;
  #gathered: Entry[] = [];
  #trace: StoredTrace | undefined;
  /** Told with the next flush that the trace is kept. */
  #kept: (() => void)[] = [];

  constructor(options: RecordOptions) {
    const { key, store, stored, clock } = options;
    this.key = key;
    this.#options = options;
    this.#stored = stored;
    this.#steps = new StepBuilder(stored.nextStep);
    this.transcript = new Transcript({ key, store, lastSeq: stored.lastSeq, clock });
  }

  get now(): StoredSession {
    return this.#stored;
  }

  get sessionId(): string {
    return this.#stored.spec.sessionId;
  }

  get isOpen(): boolean {
    return isOpen(this.#stored.state);
  }

  /** In one transaction, with what was gathered before; then told to every reader. Nothing happens where it throws. */
  write(write: RecordWrite): void {
    const prepared = this.#prepare(write);
    this.#options.store.write(this.key, prepared.write);
    this.#wrote(prepared);
  }

  #prepare(write: RecordWrite): Prepared {
    const { entries = [], state, reason, clearHistory, change, ...rest } = write;
    if (state !== undefined) assertFollows(this.#stored.state, state);
    const gathered = this.#takeGathered();
    const changed: Entry[] = state === undefined ? [] : [stateEntry(state, reason)];
    const { events, steps, compactions } = this.#told([...gathered, ...entries, ...changed]);
    const next: SessionChange = {
      ...(state === undefined ? {} : { state }),
      ...(compactions.length === 0
        ? {}
        : { compactions: [...this.#stored.compactions, ...compactions] }),
      ...(this.#trace === undefined ? {} : { agentTrace: this.#trace }),
      ...change,
      nextStep: this.#steps.next,
    };
    this.#trace = undefined;
    const kept =
      clearHistory === true ? this.#steps.next : this.#steps.next - DEFAULTS.historySteps;
    const dropStepsBefore = steps.length > 0 || clearHistory === true ? Math.max(0, kept) : 0;
    return { write: { ...rest, events, steps, dropStepsBefore, change: next }, events, next };
  }

  #wrote({ events, next }: Prepared): void {
    const lastSeq = events.at(-1)?.seq ?? this.#stored.lastSeq;
    this.#stored = { ...this.#stored, ...next, lastSeq };
    this.transcript.stored(events);
    if (events.length > 0) this.#options.onStored?.(events);
  }

  /** It could not be written: so it is in this life only. */
  assume(state: SessionState): void {
    this.#stored = { ...this.#stored, state };
  }

  /** Text becomes one event until it is written: soon, or with whatever is written before. */
  gather(turnId: string, agent: string | undefined, delta: Delta): void {
    const last = this.#gathered.at(-1);
    const joined = last === undefined ? undefined : join(last, turnId, agent, delta);
    if (joined === undefined) this.#gathered.push({ turnId, agent, happening: delta });
    else this.#gathered[this.#gathered.length - 1] = joined;
    this.#options.flushes.add(this);
  }

  /** What is written meanwhile is written as a whole. Throws what the work throws, or why it could not be written. */
  together(work: () => void): void {
    let failure: { error: unknown } | undefined;
    this.#options.store.together(() => {
      try {
        work();
      } catch (error) {
        // What it has told by then stays told.
        failure = { error };
      }
    });
    if (failure !== undefined) throw failure.error;
  }

  /** Written with whatever is written next, or soon; `kept` is called then. */
  keepTrace(trace: StoredTrace, kept: () => void): void {
    this.#trace = trace;
    this.#kept.push(kept);
    this.#options.flushes.add(this);
  }

  takeFlush(): Flush {
    const kept = this.#kept;
    this.#kept = [];
    const isWritten = this.#gathered.length === 0 && this.#trace === undefined;
    const prepared = isWritten ? undefined : this.#prepare({});
    return {
      key: this.key,
      write: prepared?.write,
      stored: () => {
        if (prepared !== undefined) this.#wrote(prepared);
        for (const tell of kept) tell();
      },
      failed: this.#options.onFault,
    };
  }

  #takeGathered(): Entry[] {
    // Whoever waits for the trace is told with the next flush all the same.
    if (this.#kept.length === 0) this.#options.flushes.delete(this);
    const gathered = this.#gathered;
    this.#gathered = [];
    return gathered;
  }

  #told(entries: readonly Entry[]): {
    events: SessionEvent[];
    steps: Step[];
    compactions: number[];
  } {
    const at = Date.now();
    let seq = this.#stored.lastSeq;
    const events: SessionEvent[] = [];
    const told: Step[] = [];
    const tell = ({ turnId, agent, happening }: Entry): void => {
      seq += 1;
      const by = agent === undefined ? {} : { agent };
      events.push({ seq, turnId, at, ...by, ...happening });
    };
    for (const entry of entries) {
      const steps = this.#steps.add(entry, at);
      // A piece of text that ends with this was told before it.
      for (const step of steps.filter(isTextStep)) tell(stepEntry(step));
      tell(entry);
      for (const step of steps.filter((each) => !isTextStep(each))) tell(stepEntry(step));
      told.push(...steps);
    }
    const compactions = told.filter(({ kind }) => kind === "compaction").map(({ index }) => index);
    return { events, steps: told, compactions };
  }
}

function isTextStep({ kind, role }: Step): boolean {
  return role === "agent" && (kind === "text" || kind === "thinking");
}

function stepEntry(step: Step): Entry {
  return { turnId: step.turnId, agent: step.agent, happening: { type: "step", step } };
}

function stateEntry(state: SessionState, reason: string | undefined): Entry {
  const why = reason === undefined ? {} : { reason };
  return { turnId: null, happening: { type: "state", state, ...why } };
}

function join(
  last: Entry,
  turnId: string,
  agent: string | undefined,
  delta: Delta,
): Entry | undefined {
  const { happening } = last;
  if (last.turnId !== turnId || last.agent !== agent || happening.type !== delta.type)
    return undefined;
  if (happening.delta.length + delta.delta.length > SESSION_BOUNDS.textEventChars) return undefined;
  if (happening.type === "tool_output") {
    if (delta.type !== "tool_output" || happening.callId !== delta.callId) return undefined;
  }
  return { ...last, happening: { ...happening, delta: happening.delta + delta.delta } };
}
