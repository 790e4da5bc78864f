/** One message: text frames carry control, binary frames carry bytes of streams. */
export type Message = string | Uint8Array;

/** Carries whole messages in order between two peers. Callbacks are set once, before `start`. */
export interface Transport {
  onMessage: ((message: Message) => void) | undefined;
  /** Called once, whoever closed. */
  onClose: ((reason: Error | undefined) => void) | undefined;
  send(message: Message): void;
  /** Bytes accepted by `send` and not yet handed to the system. */
  readonly bufferedBytes: number;
  close(code?: number, reason?: string): void;
}
