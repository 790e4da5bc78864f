/**
 * Takes the frames of one stream, in order: the 17-byte header of docs/vmd-link.md and the payload.
 * A frame is the sink's own: it may rewrite the stream number in place and pass the bytes on.
 */
export interface FrameSink {
  frame(frame: Uint8Array): void;
  /** The VM is gone or the stream broke: no frame follows. */
  closed(reason: Error): void;
}

/** Bytes of each channel of a process. */
export interface ChannelBytes {
  readonly stdout: number;
  readonly stderr: number;
}

/** A reader on a logged process's ring. */
export interface LogSource extends FrameSource {
  /** What the process had written when it was opened. Undefined where the driver can't say. */
  readonly written?: ChannelBytes | undefined;
}

/** The other direction of a stream. */
export interface FrameSource {
  /** Data, end or acknowledgement for the VM. The stream number in it is overwritten. */
  send(frame: Uint8Array): void;
  /** Ends the stream and frees what the VM holds for it. Harmless when it is over. */
  close(): void;
}
