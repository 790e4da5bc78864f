import { mkdirSync } from "node:fs";
import { appendFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";

import { stateFileName } from "./state-file-name.ts";

/** Bytes of one log; a full one is kept once more, as `NAME.log.1`. */
const LOG_BYTES = 16 * 1024 * 1024;

/** What agents put out, a file for each name, as clients read it. */
export class WorkerLogs {
  readonly #directory: string;
  readonly #sizes = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  async append(agent: string, text: string): Promise<void> {
    const path = join(this.#directory, `${stateFileName(agent)}.log`);
    const size = (this.#sizes.get(path) ?? (await sizeOf(path))) + Buffer.byteLength(text);
    if (size > LOG_BYTES) await rename(path, `${path}.1`).catch(() => undefined);
    this.#sizes.set(path, size > LOG_BYTES ? Buffer.byteLength(text) : size);
    await appendFile(path, text, { mode: 0o600 });
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    // The first line makes it.
    return 0;
  }
}
