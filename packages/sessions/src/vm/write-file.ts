import type { FrameSink, VmFiles, VmWrite } from "@agentos/core";
import { decodeFrame, DEFAULTS, encodeFrame, FRAME_KIND } from "@agentos/protocol";

const CHUNK_BYTES = 64 * 1024;

export interface WriteChoice {
  path: string;
  bytes: Uint8Array;
  how: "truncate" | "exclusive";
}

/** Writes a whole file in a VM. Rejects with `FILE_SYSTEM`. */
export async function writeFile(files: VmFiles, choice: WriteChoice): Promise<void> {
  const { path, how } = choice;
  const writer = new FileWriter(choice.bytes);
  const windowBytes = DEFAULTS.streamWindowBytes;
  const write = files.write({ path, how, mode: 0o644, start: 0, windowBytes }, writer);
  writer.attach(write);
  try {
    await write.written;
  } finally {
    write.close();
  }
}

/** Sends bytes as far as the window goes, and on as they are taken. */
class FileWriter implements FrameSink {
  readonly #bytes: Uint8Array;
  #write: VmWrite | undefined;
  #sent = 0;
  #taken = 0;
  #isEnded = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  attach(write: VmWrite): void {
    this.#write = write;
    this.#advance();
  }

  frame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame?.kind !== FRAME_KIND.inAck) return;
    this.#taken = Math.max(this.#taken, frame.offset);
    this.#advance();
  }

  /** `written` tells its reason. */
  closed(): void {
    this.#isEnded = true;
  }

  #advance(): void {
    const total = this.#bytes.byteLength;
    while (this.#sent < total && this.#sent - this.#taken < DEFAULTS.streamWindowBytes) {
      const room = DEFAULTS.streamWindowBytes - (this.#sent - this.#taken);
      const end = Math.min(total, this.#sent + Math.min(room, CHUNK_BYTES));
      const chunk = this.#bytes.subarray(this.#sent, end);
      this.#write?.send(encodeFrame(FRAME_KIND.dataIn, 0, this.#sent, chunk));
      this.#sent = end;
    }
    if (this.#sent < total || this.#isEnded) return;
    this.#isEnded = true;
    this.#write?.send(encodeFrame(FRAME_KIND.eofIn, 0, total));
  }
}
