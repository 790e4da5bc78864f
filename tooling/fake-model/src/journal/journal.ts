import { Condition, type WaitOptions } from "../condition.ts";
import type { JournalEntry } from "./journal-entry.ts";

type Changes = Partial<
  Pick<
    JournalEntry,
    "request" | "rule" | "problem" | "status" | "bytesSent" | "outcome" | "endedAt"
  >
>;

/** How many requests are kept; the oldest go first. */
const MAX_ENTRIES = 10_000;
/** How many characters of bodies are kept; the oldest requests go first. */
const MAX_BODY_CHARACTERS = 256 * 1024 * 1024;

/** Every request that came, in order. */
export class Journal {
  readonly #changed = new Condition();
  #entries: JournalEntry[] = [];
  #given = new Set<number>();
  #characters = 0;
  #dropped = 0;
  #last = 0;

  /** All that is kept, oldest first; an entry is not changed later, `find` it again. */
  get entries(): readonly JournalEntry[] {
    return this.#entries.slice();
  }

  /** How many requests are no longer kept. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * The first entry that `matches` and that no `next` gave before; waits for it, also for one
   * that is open to become what is looked for. Waits 10 s by default.
   */
  async next(
    matches: (entry: JournalEntry) => boolean = () => true,
    options: WaitOptions = {},
  ): Promise<JournalEntry> {
    const found = await this.#changed.until(
      () => {
        const entry = this.#entries.find((each) => !this.#given.has(each.id) && matches(each));
        // At once: two that wait must not get the same one.
        if (entry !== undefined) this.#given.add(entry.id);
        return entry;
      },
      () => `for a request; the journal has ${this.#summary()}`,
      options,
    );
    return found;
  }

  /** The entry of this id once its request has ended. Waits 10 s by default. */
  async ended(id: number, options: WaitOptions = {}): Promise<JournalEntry> {
    return await this.#changed.until(
      () => this.#entries.find((each) => each.id === id && each.outcome !== "open"),
      () => `for request ${id} to end; the journal has ${this.#summary()}`,
      options,
    );
  }

  /** Writes down a request; gives what the server may add to it. */
  add(arrived: Omit<JournalEntry, "id">): (changes: Changes) => void {
    this.#last += 1;
    const id = this.#last;
    this.#entries.push({ ...arrived, id });
    this.#characters += arrived.text.length;
    this.#trim();
    this.#changed.notify();
    return (changes) => {
      const at = this.#entries.findLastIndex((each) => each.id === id);
      const before = this.#entries[at];
      // Trimmed away meanwhile: nobody can ask for it.
      if (before === undefined) return;
      this.#entries[at] = { ...before, ...changes };
      this.#changed.notify();
    };
  }

  #trim(): void {
    while (this.#entries.length > MAX_ENTRIES || this.#characters > MAX_BODY_CHARACTERS) {
      const oldest = this.#entries.shift();
      if (oldest === undefined) return;
      this.#characters -= oldest.text.length;
      this.#given.delete(oldest.id);
      this.#dropped += 1;
    }
  }

  #summary(): string {
    const last = this.#entries.slice(-5);
    const lines = last.map(({ method, path, status, outcome }) =>
      [method, path, status, outcome].join(" "),
    );
    return `${this.#entries.length} (${lines.join("; ")})`;
  }
}
