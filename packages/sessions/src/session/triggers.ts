import { randomUUID } from "node:crypto";

import { type Content, DEFAULTS, type SessionSpec } from "@agentos/protocol";

import { asAgentOsError } from "./deadline.ts";
import { nextRunMs } from "./cron-time.ts";
import { FileWatch } from "./file-watch.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import type { SessionParts } from "./session-parts.ts";

type Trigger = NonNullable<SessionSpec["triggers"]>[number];

/** Prompts that come by themselves: after a time, at a time, when files change. One that fails leaves the others. */
export class Triggers {
  readonly #parts: SessionParts;
  /** Takes a prompt; resolves when its turn has ended. */
  readonly #prompt: (content: Content) => Promise<unknown>;
  readonly #life = new AbortController();
  #isStarted = false;
  readonly #cancels = new Map<Trigger, () => void>();
  readonly #watches = new Map<Trigger, FileWatch>();

  constructor(parts: SessionParts, prompt: (content: Content) => Promise<unknown>) {
    this.#parts = parts;
    this.#prompt = prompt;
  }

  /** Harmless to repeat. */
  start(): void {
    if (this.#isStarted || this.#life.signal.aborted) return;
    this.#isStarted = true;
    for (const trigger of this.#parts.spec.triggers ?? []) {
      if (trigger.kind === "file_change")
        this.#watches.set(trigger, new FileWatch(this.#parts.access, trigger.path));
      void this.#run(trigger);
    }
  }

  /** Nothing comes any more. */
  stop(): void {
    this.#life.abort();
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }

  /** One round after the other, so that a slow turn never piles up prompts. */
  async #run(trigger: Trigger): Promise<void> {
    await this.#round(trigger).catch(() => undefined);
    while (!this.#life.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      if (!(await this.#due(trigger))) return;
      try {
        // oxlint-disable-next-line no-await-in-loop -- As above.
        await this.#fire(trigger, await this.#changes(trigger));
      } catch (error) {
        if (this.#life.signal.aborted) return;
        this.#parts.notice(`a trigger (${trigger.kind}) failed: ${asAgentOsError(error).message}`);
      }
    }
  }

  /** What is there when it starts is no change. */
  async #round(trigger: Trigger): Promise<void> {
    await this.#watches.get(trigger)?.changes();
  }

  /** Resolves when it is time to look. False: it is over. */
  async #due(trigger: Trigger): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { clock } = this.#parts.host;
    const cancel = clock.after(waitMsOf(trigger), () => resolve(true));
    this.#cancels.set(trigger, () => {
      cancel();
      resolve(false);
    });
    return (await promise) && !this.#life.signal.aborted;
  }

  /** Undefined: nothing has changed. */
  async #changes(trigger: Trigger): Promise<readonly string[] | undefined> {
    const watch = this.#watches.get(trigger);
    if (watch === undefined) return [];
    const changes = await watch.changes();
    return changes.length === 0 ? undefined : changes;
  }

  async #fire(trigger: Trigger, changes: readonly string[] | undefined): Promise<void> {
    if (changes === undefined || this.#life.signal.aborted) return;
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

function waitMsOf(trigger: Trigger): number {
  if (trigger.kind === "interval") return trigger.everyMs;
  if (trigger.kind === "schedule") return nextRunMs(trigger.cron) ?? SESSION_BOUNDS.longestWaitMs;
  return SESSION_BOUNDS.filePollMs;
}
