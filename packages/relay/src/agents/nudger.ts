import type { Clock } from "@agentos/core";
import { DEFAULTS, type NudgePolicy } from "@agentos/protocol";

export interface NudgerOptions {
  readonly clock: Clock;
  readonly policy: NudgePolicy | undefined;
  readonly nudge: (text: string, count: number) => void;
  /** It was reminded often enough, and asked to be released then. */
  readonly exhausted: () => void;
}

const TEXT = "You have been idle for a while. Go on with your work, or say that you are done.";

/** Reminds an idle agent of its work, as its policy says. */
export class Nudger {
  readonly #options: NudgerOptions;
  #count = 0;
  #cancel: (() => void) | undefined;

  constructor(options: NudgerOptions) {
    this.#options = options;
  }

  /** It became idle. */
  idle(): void {
    const { policy } = this.#options;
    if (policy === undefined) return;
    const { afterMs = DEFAULTS.nudgeMs, escalateAfterMs = DEFAULTS.nudgeMs } = policy;
    this.stop();
    const waitMs = this.#count === 0 ? afterMs : escalateAfterMs;
    this.#cancel = this.#options.clock.after(waitMs, () => this.#due(policy));
  }

  /** It works: what was counted down is over. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Somebody else has something for it. */
  reset(): void {
    this.stop();
    this.#count = 0;
  }

  #due({ maxNudges = 1, text = TEXT, atEnd = "none" }: NudgePolicy): void {
    this.#cancel = undefined;
    if (this.#count < maxNudges) {
      this.#count += 1;
      this.#options.nudge(text, this.#count);
    } else if (atEnd === "release") this.#options.exhausted();
  }
}
