import { FRAME_HEADER_BYTES } from "@agentos/protocol";

import { type Failure, readFailure } from "./failure.ts";
import type { LinkStream } from "./link.ts";
import { unexpected } from "./link.ts";
import { LINK_KIND, LINK_VERSION, LINK_VERSIONS, WALLS_VERSION } from "./link-kinds.ts";
import { PayloadReader } from "./payload-reader.ts";
import { readTableEntry, type TableEntry } from "./table-entry.ts";
import { violation } from "./violation.ts";

/** What came of CREATE and CONFIG, or of HELLO. */
export type HandshakeResult =
  | { readonly ok: true; readonly version: number; readonly walls: number }
  | { readonly ok: false; readonly failure: Failure };

/** launching -> configuring -> ready; adopting starts at configuring. */
type HandshakeState = "launching" | "configuring" | "ready";

interface TableRequest {
  readonly entries: TableEntry[];
  readonly resolve: (entries: TableEntry[]) => void;
  readonly reject: (reason: Error) => void;
}

/** Most entries that vmd's table has. */
const MAX_TABLE_ENTRIES = 1024;

/** Stream 0 of a link: how it begins, and the table of what runs. */
export class Handshake implements LinkStream {
  /** PID 1's pid on the host; rejects with the failure's or the link's error. */
  readonly launched: Promise<number>;
  /** Rejects with `VM_ENDED` only. */
  readonly ready: Promise<HandshakeResult>;
  readonly #launched = Promise.withResolvers<number>();
  readonly #ready = Promise.withResolvers<HandshakeResult>();
  #state: HandshakeState;
  #table: TableRequest | undefined;

  constructor(begins: "launching" | "configuring") {
    this.#state = begins;
    this.launched = this.#launched.promise;
    this.ready = this.#ready.promise;
    // Whoever waits for the one may not wait for the other.
    this.launched.catch(() => {});
    this.ready.catch(() => {});
  }

  frame(kind: number, _offset: number, frame: Uint8Array): void {
    if (this.#state === "ready") this.#tableFrame(kind, frame);
    else if (kind === LINK_KIND.fail) this.#fail(readFailure(frame));
    else if (this.#state === "launching" && kind === LINK_KIND.launched) this.#launch(frame);
    else if (this.#state === "configuring" && kind === LINK_KIND.ready) this.#finish(frame);
    else throw unexpected(kind);
  }

  closed(reason: Error): void {
    this.#launched.reject(reason);
    this.#ready.reject(reason);
    this.#table?.reject(reason);
  }

  /** Collects what follows a TABLE request until END. One at a time. */
  async table(): Promise<TableEntry[]> {
    const { promise, resolve, reject } = Promise.withResolvers<TableEntry[]>();
    this.#table = { entries: [], resolve, reject };
    return promise;
  }

  #launch(frame: Uint8Array): void {
    this.#launched.resolve(number(frame));
    this.#state = "configuring";
  }

  #finish(frame: Uint8Array): void {
    const payload = PayloadReader.ofFrame(frame);
    const version = payload.u32();
    if (!LINK_VERSIONS.includes(version)) {
      throw violation(`expected link version ${LINK_VERSION}, got ${version}`);
    }
    const walls = version >= WALLS_VERSION ? payload.u32() : 0;
    payload.finish();
    this.#state = "ready";
    this.#ready.resolve({ ok: true, version, walls });
  }

  #fail(failure: Failure): void {
    this.#launched.reject(new Error(`${failure.step}: ${failure.errno.name}`));
    this.#ready.resolve({ ok: false, failure });
  }

  #tableFrame(kind: number, frame: Uint8Array): void {
    const table = this.#table;
    if (table === undefined) throw unexpected(kind);
    if (kind === LINK_KIND.tableEntry) {
      if (table.entries.length >= MAX_TABLE_ENTRIES) throw violation("the table is too long");
      table.entries.push(readTableEntry(frame));
    } else if (kind === LINK_KIND.end) {
      this.#table = undefined;
      table.resolve(table.entries);
    } else throw unexpected(kind);
  }
}

function number(frame: Uint8Array): number {
  if (frame.byteLength !== FRAME_HEADER_BYTES + 4) throw violation("expected four bytes");
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).readUInt32LE(
    FRAME_HEADER_BYTES,
  );
}
