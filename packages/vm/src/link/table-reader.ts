import { DEFAULTS } from "@agentos/protocol";

import { deadlineExceeded, type Link, type LinkStream, unexpected } from "./link.ts";
import { LINK_KIND } from "./link-kinds.ts";
import { readTableEntry, type TableEntry } from "./table-entry.ts";

interface Asked {
  readonly entries: TableEntry[];
  readonly resolve: (entries: TableEntry[]) => void;
  readonly reject: (reason: Error) => void;
}

/** Reads the table of a VM's processes while it runs: stream 0 of a link whose handshake is over. */
export class TableReader implements LinkStream {
  readonly #link: Link;
  /** Answered in their order. */
  readonly #asked: Asked[] = [];

  constructor(link: Link) {
    this.#link = link;
  }

  /** Rejects with `VM_ENDED` or `DEADLINE_EXCEEDED`. */
  async read(): Promise<TableEntry[]> {
    this.#link.adopt(0, this);
    const { promise, resolve, reject } = Promise.withResolvers<TableEntry[]>();
    this.#asked.push({ entries: [], resolve, reject });
    this.#link.send(LINK_KIND.table, 0);
    const { requestMs } = DEFAULTS;
    const timer = setTimeout(() => reject(deadlineExceeded("table", requestMs)), requestMs);
    return await promise.finally(() => clearTimeout(timer));
  }

  frame(kind: number, _offset: number, frame: Uint8Array): void {
    const [first] = this.#asked;
    if (first === undefined) throw unexpected(kind);
    if (kind === LINK_KIND.tableEntry) first.entries.push(readTableEntry(frame));
    else if (kind === LINK_KIND.end) this.#asked.shift()?.resolve(first.entries);
    else throw unexpected(kind);
  }

  closed(reason: Error): void {
    for (const { reject } of this.#asked.splice(0)) reject(reason);
  }
}
