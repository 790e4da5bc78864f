/** What can hold writes back, as Node's streams can. */
export interface Corkable {
  cork(): void;
  uncork(): void;
}

/** Makes one write of all that is sent while one event is handled, promises included: each write wakes the other end. */
export class WriteBatch {
  readonly #target: Corkable;
  #isOpen = false;

  constructor(target: Corkable) {
    this.#target = target;
  }

  /** Call before each write. */
  join(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#target.cork();
    // Ticks run once no promise is left to go on.
    queueMicrotask(() => process.nextTick(() => this.#end()));
  }

  #end(): void {
    this.#isOpen = false;
    this.#target.uncork();
  }
}
