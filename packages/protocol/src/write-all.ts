import type { FrameTarget } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";

/** What hears of a write on its way. */
interface WriteSink {
  frame(frame: Uint8Array): void;
  closed(reason: Error): void;
}

/** A file that is written: `written` tells how that ended. */
interface Write extends FrameTarget {
  readonly written: Promise<unknown>;
  close(): void;
}

/** Writes all the bytes into what `open` opens. Rejects with what `written` rejects with. */
export async function writeAll(bytes: Uint8Array, open: (sink: WriteSink) => Write): Promise<void> {
  const writer = new ByteWriter({ maxWaiting: bytes.byteLength });
  const write = open({
    frame: (frame) => void writer.frame(frame),
    // `written` tells why it was closed.
    closed: () => writer.close(),
  });
  writer.write(bytes);
  writer.end();
  writer.attach(write);
  try {
    await write.written;
  } finally {
    write.close();
  }
}
