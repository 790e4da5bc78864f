/** Something that a script waits for and a test lets happen, and the other way round. */
export class Gate<T = void> {
  readonly #gate = Promise.withResolvers<T>();

  /** Resolves once it is open. */
  get opened(): Promise<T> {
    return this.#gate.promise;
  }

  open(value: T): void {
    this.#gate.resolve(value);
  }
}
