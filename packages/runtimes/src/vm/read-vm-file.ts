import type { FrameSink, FrameSource, VmFiles } from "@agentos/core";
import {
  AgentOsError,
  CHANNEL,
  decodeFrame,
  DEFAULTS,
  encodeAck,
  FRAME_KIND,
} from "@agentos/protocol";

/** A whole file of a VM. Rejects with `FILE_SYSTEM`, or with `INVALID_ARGUMENT` for one of more than `maxBytes`. */
export async function readVmFile(files: VmFiles, path: string, maxBytes: number): Promise<Buffer> {
  const reader = new FileReader();
  const { stat, stream } = await files.read(
    { path, start: 0, length: maxBytes + 1, windowBytes: DEFAULTS.transferWindowBytes },
    reader,
  );
  try {
    if (stat.size > maxBytes) throw tooLarge(path, maxBytes, stat.size);
    reader.attach(stream);
    const bytes = await reader.bytes;
    if (bytes.byteLength > maxBytes) throw tooLarge(path, maxBytes, bytes.byteLength);
    return bytes;
  } finally {
    stream.close();
  }
}

/** Takes a file's frames and acknowledges each. */
class FileReader implements FrameSink {
  readonly #chunks: Uint8Array[] = [];
  readonly #ended = Promise.withResolvers<Buffer>();
  readonly #waiting: Uint8Array[] = [];
  #source: FrameSource | undefined;

  constructor() {
    // Who found the file too large does not wait for its end.
    this.#ended.promise.catch(() => undefined);
  }

  get bytes(): Promise<Buffer> {
    return this.#ended.promise;
  }

  /** Where acknowledgements go; frames that came before it wait for it. */
  attach(source: FrameSource): void {
    this.#source = source;
    for (const frame of this.#waiting.splice(0)) this.frame(frame);
  }

  frame(bytes: Uint8Array): void {
    if (this.#source === undefined) {
      this.#waiting.push(bytes);
      return;
    }
    const frame = decodeFrame(bytes);
    if (frame?.kind === FRAME_KIND.out) {
      this.#chunks.push(Uint8Array.from(frame.payload));
      const received = frame.offset + frame.payload.byteLength;
      this.#source.send(encodeAck(0, CHANNEL.stdout, received));
    } else if (frame?.kind === FRAME_KIND.end) {
      this.#source.send(encodeAck(0, CHANNEL.stdout, frame.offset));
      this.#ended.resolve(Buffer.concat(this.#chunks));
    }
  }

  closed(reason: Error): void {
    this.#ended.reject(reason);
  }
}

function tooLarge(path: string, limit: number, actual: number): AgentOsError<"INVALID_ARGUMENT"> {
  const expected = `a file of at most ${limit} bytes`;
  const message = `${path}: expected ${expected}, got ${actual} bytes`;
  return new AgentOsError("INVALID_ARGUMENT", message, {
    argument: path,
    expected,
    actual: `${actual} bytes`,
  });
}
