import type { VmFiles } from "@agentos/core";
import { ByteWriter, DEFAULTS } from "@agentos/protocol";

export interface WriteChoice {
  path: string;
  bytes: Uint8Array;
  how: "truncate" | "exclusive";
}

/** Writes a whole file in a VM. Rejects with `FILE_SYSTEM`. */
export async function writeFile(files: VmFiles, choice: WriteChoice): Promise<void> {
  const { path, how, bytes } = choice;
  const writer = new ByteWriter({ maxWaiting: bytes.byteLength });
  const windowBytes = DEFAULTS.streamWindowBytes;
  const write = files.write(
    { path, how, mode: 0o644, start: 0, windowBytes },
    // `written` tells why it was closed.
    { frame: (frame) => void writer.frame(frame), closed: () => writer.close() },
  );
  writer.write(bytes);
  writer.end();
  writer.attach(write);
  try {
    await write.written;
  } finally {
    write.close();
  }
}
