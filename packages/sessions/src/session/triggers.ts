import { randomUUID } from "node:crypto";

import { type Content, DEFAULTS, type SessionSpec } from "@agentos/protocol";

import { asAgentOsError } from "./deadline.ts";
import { nextRunMs } from "./cron-time.ts";
import { FileWatch } from "./file-watch.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import type { SessionParts } from "./session-parts.ts";

type Trigger = NonNullable<SessionSpec["triggers"]>[number];
type FileTrigger = Extract<Trigger, { kind: "file_change" }>;
type TimeTrigger = Exclude<Trigger, FileTrigger>;

/** Prompts that come by themselves: after a time, at a time, when files change. One that fails leaves the others. */
export class Triggers {
  readonly #parts: SessionParts;
  /** Takes a prompt; resolves when its turn has ended. */
  readonly #prompt: (content: Content) => Promise<unknown>;
  readonly #life = new AbortController();
  #isStarted = false;
  readonly #cancels = new Map<Trigger, () => void>();

  constructor(parts: SessionParts, prompt: (content: Content) => Promise<unknown>) {
    this.#parts = parts;
    this.#prompt = prompt;
  }

  /** Harmless to repeat. */
  start(): void {
    if (this.#isStarted || this.#life.signal.aborted) return;
    this.#isStarted = true;
    for (const trigger of this.#parts.spec.triggers ?? []) {
      if (trigger.kind === "file_change") void this.#follow(trigger);
      else void this.#run(trigger);
    }
  }

  /** Nothing comes any more. */
  stop(): void {
    this.#life.abort();
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }

  /** What happens during a turn, by the agent's own doing too, is told after it. */
  async #follow(trigger: FileTrigger): Promise<void> {
    const { access, host } = this.#parts;
    const watch = new FileWatch(access, host.clock, trigger.path);
    this.#cancels.set(trigger, () => watch.stop());
    let told: string | undefined;
    while (!this.#life.signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- One after the other.
        const changes = await watch.next();
        told = undefined;
        // oxlint-disable-next-line no-await-in-loop -- As above.
        await this.#fire(trigger, changes);
      } catch (error) {
        const { code, message } = asAgentOsError(error);
        if (message !== told) this.#failed(trigger, message);
        told = message;
        // A VM without watches never has any.
        if (code === "UNSUPPORTED") return watch.stop();
      }
    }
  }

  /** One round after the other, so that a slow turn never piles up prompts. */
  async #run(trigger: TimeTrigger): Promise<void> {
    while (!this.#life.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      if (!(await this.#due(trigger))) return;
      try {
        // oxlint-disable-next-line no-await-in-loop -- As above.
        await this.#fire(trigger, []);
      } catch (error) {
        this.#failed(trigger, asAgentOsError(error).message);
      }
    }
  }

  #failed({ kind }: Trigger, message: string): void {
    if (!this.#life.signal.aborted) this.#parts.notice(`a trigger (${kind}) failed: ${message}`);
  }

  /** Resolves when it is time. False: it is over. */
  async #due(trigger: TimeTrigger): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { clock } = this.#parts.host;
    const cancel = clock.after(waitMsOf(trigger), () => resolve(true));
    this.#cancels.set(trigger, () => {
      cancel();
      resolve(false);
    });
    return (await promise) && !this.#life.signal.aborted;
  }

  async #fire(trigger: Trigger, changes: readonly string[]): Promise<void> {
    if (this.#life.signal.aborted) return;
    const prompt = await this.#said(trigger, changes);
    if (prompt === undefined || this.#life.signal.aborted) return;
    await this.#prompt(prompt);
  }

  /** What its function says, or its own words. */
  async #said(trigger: Trigger, changes: readonly string[]): Promise<Content | undefined> {
    const { callback, prompt } = trigger;
    if (callback === undefined)
      return typeof prompt === "string"
        ? prompt.replaceAll("{changes}", changes.join(", "))
        : prompt;
    const { callbacks, record } = this.#parts;
    const result = await callbacks.call(
      {
        sessionId: record.sessionId,
        turnId: null,
        callback,
        callId: `trigger-${randomUUID()}`,
        ask: { kind: "trigger", changes: [...changes] },
      },
      { deadlineMs: DEFAULTS.hookMs, signal: this.#life.signal },
    );
    return result.kind === "trigger" ? result.prompt : undefined;
  }
}

function waitMsOf(trigger: TimeTrigger): number {
  if (trigger.kind === "interval") return trigger.everyMs;
  return nextRunMs(trigger.cron) ?? SESSION_BOUNDS.longestWaitMs;
}
