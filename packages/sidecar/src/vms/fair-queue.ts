import type { QueueAddOptions } from "p-queue";

/** What p-queue hands on for each task: its id, and who asks. */
export interface FairOptions extends QueueAddOptions {
  readonly asker?: string;
}

interface Waiting<Run> {
  id: string | undefined;
  run: Run;
}

/** A queue for p-queue that serves its askers in turn, and each one's tasks in their order. */
export class FairQueue<Run> {
  readonly #byAsker = new Map<string, Waiting<Run>[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  enqueue(run: Run, options?: Partial<FairOptions>): void {
    const asker = options?.asker ?? "";
    const line = this.#byAsker.get(asker) ?? [];
    line.push({ id: options?.id, run });
    this.#byAsker.set(asker, line);
    this.#size += 1;
  }

  dequeue(): Run | undefined {
    const next = this.#byAsker.entries().next();
    if (next.done === true) return undefined;
    const [asker, line] = next.value;
    const first = line.shift();
    // To the end of the askers: a map keeps the order of insertion.
    this.#byAsker.delete(asker);
    if (line.length > 0) this.#byAsker.set(asker, line);
    this.#size -= 1;
    return first?.run;
  }

  filter(options: Readonly<Partial<FairOptions>>): Run[] {
    const lines =
      options.asker === undefined
        ? [...this.#byAsker.values()].flat()
        : (this.#byAsker.get(options.asker) ?? []);
    return lines.map((waiting) => waiting.run);
  }

  remove(id: string): void {
    for (const [asker, line] of this.#byAsker) {
      const at = line.findIndex((waiting) => waiting.id === id);
      if (at === -1) continue;
      line.splice(at, 1);
      if (line.length === 0) this.#byAsker.delete(asker);
      this.#size -= 1;
      return;
    }
  }

  /** Fairness is the only order here. */
  setPriority(): void {}
}
