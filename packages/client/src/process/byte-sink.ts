/** Takes the bytes of one channel, in order, until its end or a failure. */
export interface ByteSink {
  /** Throws `PROTOCOL_ERROR` for a gap. */
  accept(offset: number, payload: Uint8Array): void;
  /** The sender is another one: where it goes on. Bytes that nobody has consumed may be asked for again. */
  resume(): number;
  /** There are `total` bytes. */
  end(total: number): void;
  /** Nothing follows, and not because all came. */
  fail(reason: unknown): void;
}
