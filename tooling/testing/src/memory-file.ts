/** The bytes of one file in memory. */
export class MemoryFile {
  readonly type = "file";
  readonly ino: number;
  mode: number;
  mtimeMs = Date.now();
  #buffer = new Uint8Array(0);
  #size = 0;

  constructor(ino: number, mode: number) {
    this.ino = ino;
    this.mode = mode;
  }

  get size(): number {
    return this.#size;
  }

  /** A copy of the bytes from `start` up to `end`. */
  read(start = 0, end = this.#size): Uint8Array {
    return this.#buffer.slice(start, Math.min(end, this.#size));
  }

  writeAt(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.byteLength;
    this.#reserve(end);
    this.#buffer.set(bytes, offset);
    this.#size = Math.max(this.#size, end);
    this.mtimeMs = Date.now();
  }

  truncate(size: number): void {
    this.#reserve(size);
    if (size < this.#size) this.#buffer.fill(0, size, this.#size);
    this.#size = size;
    this.mtimeMs = Date.now();
  }

  #reserve(size: number): void {
    if (size <= this.#buffer.byteLength) return;
    const larger = new Uint8Array(Math.max(size, 2 * this.#buffer.byteLength));
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}
