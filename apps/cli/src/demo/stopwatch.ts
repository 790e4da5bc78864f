import type { DemoScreen, StepName } from "../output/demo-screen.ts";

/** Times the steps of the demo, and shows each when it is done. */
export class Stopwatch {
  readonly #screen: DemoScreen;
  readonly #startedAt = performance.now();
  readonly #times: (readonly [string, number])[] = [];

  constructor(screen: DemoScreen) {
    this.#screen = screen;
  }

  /** What each step took, in milliseconds. */
  get times(): readonly (readonly [string, number])[] {
    return this.#times;
  }

  get totalMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Does a step that says what it found, and passes its result on. */
  async time<T>(
    step: StepName,
    name: string,
    work: () => Promise<readonly [string, T]>,
  ): Promise<T> {
    const startedAt = performance.now();
    const [text, result] = await work();
    const ms = performance.now() - startedAt;
    this.#times.push([name, ms]);
    await this.#screen.done(step, text, ms);
    return result;
  }
}
