import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const RETRY_MS = 5;

/**
 * Connects to a unix socket. A full backlog answers EAGAIN at once: tried again until `signal`
 * aborts. The socket stays half open until its owner ends it.
 */
export async function connectUnix(path: string, signal: AbortSignal): Promise<Socket> {
  for (;;) {
    signal.throwIfAborted();
    // One attempt after the other.
    // oxlint-disable-next-line no-await-in-loop
    const socket = await attempt(path);
    if (socket !== undefined && !signal.aborted) return socket;
    socket?.destroy();
    signal.throwIfAborted();
    // oxlint-disable-next-line no-await-in-loop
    await sleep(RETRY_MS);
  }
}

/** Connecting to a unix socket is over at once, so it needs no deadline. */
async function attempt(path: string): Promise<Socket | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket | undefined>();
  const socket = createConnection({ path, allowHalfOpen: true });
  const onError = (error: NodeJS.ErrnoException): void => {
    socket.destroy();
    if (error.code === "EAGAIN") resolve(undefined);
    else reject(error);
  };
  socket.once("error", onError);
  socket.once("connect", () => {
    socket.off("error", onError);
    resolve(socket);
  });
  return promise;
}
