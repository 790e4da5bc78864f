import { ByteReader, type FrameTarget } from "./byte-reader.ts";

/** What a VM answers to who wants to read a file or a directory. */
interface Opened {
  readonly stream: FrameTarget & { close(): void };
}

/** All bytes of what `open` opens for the reader that it is given. `check` sees what was opened, and may refuse it before a byte is read. Rejects with what breaks the stream. */
export async function readAll<T extends Opened>(
  open: (reader: ByteReader) => Promise<T>,
  check?: (opened: T) => void,
): Promise<T & { bytes: Buffer }> {
  const chunks: Uint8Array[] = [];
  const reader = new ByteReader((bytes) => chunks.push(Uint8Array.from(bytes)), "file");
  const opened = await open(reader);
  try {
    check?.(opened);
    reader.attach(opened.stream);
    await reader.ended;
    return { ...opened, bytes: Buffer.concat(chunks) };
  } finally {
    opened.stream.close();
  }
}
