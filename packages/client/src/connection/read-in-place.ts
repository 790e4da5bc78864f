import { connect, type NetConnectOpts, type Socket } from "node:net";

import { WholeFrames } from "./whole-frames.ts";

/** What one read of the kernel takes. Larger does not help: a unix socket holds about 200 KiB. */
const READ_BYTES = 128 * 1024;

/** How a socket of a WebSocket is read. */
export interface ReadInPlace {
  readonly socket: Socket;
  /** The answer to the upgrade is over: from here on there are frames. */
  framesFollow(): void;
}

/**
 * A socket that is read into one piece of memory again and again. Node takes 64 KiB for each read else, and V8 counts them:
 * at hundreds of MiB a second, most of a reader's time is the collection of what it has long dropped.
 */
export function readInPlace(options: NetConnectOpts, largestBytes: number): ReadInPlace {
  let frames: WholeFrames | undefined;
  const emit = (chunk: Buffer): void => void socket.emit("data", chunk);
  const socket: Socket = connect({
    ...options,
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (count, memory): boolean => {
        const bytes = Buffer.from(memory.buffer, memory.byteOffset, count);
        if (frames === undefined) emit(Buffer.from(bytes));
        else frames.push(bytes);
        return !socket.isPaused();
      },
    },
  });
  return {
    socket,
    framesFollow: () => {
      frames = new WholeFrames(emit, largestBytes);
    },
  };
}
