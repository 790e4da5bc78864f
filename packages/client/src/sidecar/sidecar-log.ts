import type { WriteStream } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";

const ROTATE_BYTES = 4 * 1024 * 1024;
const TAIL_BYTES = 16 * 1024;
const TAIL_LINES = 20;

/** The file that takes a sidecar's stderr, from where this start began. */
export class SidecarLog {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #from: number;

  /** Opens for appending; a long one is moved aside first. */
  static async open(path: string): Promise<SidecarLog> {
    let file = await open(path, "a", 0o600);
    let { size } = await file.stat();
    if (size > ROTATE_BYTES) {
      await file.close();
      // Lost to another starter that rotates at this moment: then there is nothing left to move.
      await rename(path, `${path}.1`).catch(() => undefined);
      file = await open(path, "a", 0o600);
      ({ size } = await file.stat());
    }
    return new SidecarLog(path, file, size);
  }

  private constructor(path: string, file: FileHandle, from: number) {
    this.#path = path;
    this.#file = file;
    this.#from = from;
  }

  /** The open file, for a child to write to. */
  get output(): WriteStream {
    return this.#file.createWriteStream({ autoClose: false });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** The last lines since this start. */
  async tail(): Promise<string[]> {
    const file = await open(this.#path, "r");
    try {
      const { size } = await file.stat();
      const start = Math.max(this.#from, size - TAIL_BYTES);
      const bytes = Buffer.alloc(Math.max(0, size - start));
      await file.read(bytes, 0, bytes.length, start);
      return bytes
        .toString()
        .split("\n")
        .filter((line) => line !== "")
        .slice(-TAIL_LINES);
    } finally {
      await file.close();
    }
  }
}
