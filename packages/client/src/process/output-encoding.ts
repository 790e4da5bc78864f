import { StringDecoder } from "node:string_decoder";

import type { OutputCollector } from "./output-collector.ts";

/** Hears the pieces of one channel. */
export interface ChunkListener {
  chunk(bytes: Uint8Array): void;
  end(): void;
}

/** How output is given to the user. */
export interface OutputEncoding<T> {
  listener(user: (chunk: T) => void): ChunkListener;
  collected(output: OutputCollector): T;
}

export const TEXT: OutputEncoding<string> = {
  listener: (user) => {
    // A character cut by a frame's end waits for its rest.
    const decoder = new StringDecoder("utf8");
    const give = (text: string): void => {
      if (text !== "") user(text);
    };
    return {
      chunk: (bytes) =>
        give(decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))),
      end: () => give(decoder.end()),
    };
  },
  collected: (output) => output.text(),
};

export const BYTES: OutputEncoding<Uint8Array> = {
  // A copy: the frame's own bytes are still to be collected.
  listener: (user) => ({ chunk: (bytes) => user(Uint8Array.from(bytes)), end: () => undefined }),
  collected: (output) => output.bytes(),
};
