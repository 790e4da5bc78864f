import type { Io } from "../io.ts";

/** This command's standard input as a source for a guest. A terminal's is not passed on. */
export class StdinSource implements Disposable {
  readonly source: AsyncIterable<Uint8Array> | undefined;
  readonly #stdin: Io["stdin"];

  constructor(stdin: Io["stdin"], wanted: boolean) {
    this.#stdin = stdin;
    this.source = wanted && stdin.isTTY !== true ? chunksOf(stdin) : undefined;
  }

  /** Stops reading: an open pipe must not keep this command alive. */
  [Symbol.dispose](): void {
    if (this.source !== undefined) this.#stdin.destroy();
  }
}

async function* chunksOf(stdin: Io["stdin"]): AsyncGenerator<Uint8Array> {
  for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
    const bytes: unknown = chunk;
    if (bytes instanceof Uint8Array) yield bytes;
    else yield Buffer.from(String(bytes));
  }
}
