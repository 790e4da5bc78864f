import type { Readable } from "node:stream";

import { StartReply, StartRequest } from "@agentos/protocol";

const LENGTH_BYTES = 4;
const REPLY_MAX_BYTES = 64 * 1024;

/** The one message to a new sidecar: 4 bytes of length, little-endian, then JSON. */
export function encodeStartRequest(request: StartRequest): Uint8Array {
  const json = Buffer.from(JSON.stringify(StartRequest.parse(request)));
  const message = Buffer.alloc(LENGTH_BYTES + json.length);
  message.writeUInt32LE(json.length);
  json.copy(message, LENGTH_BYTES);
  return message;
}

/** Reads the sidecar's one answer. Rejects where the stream ends first or holds something else. */
export function readStartReply(stdout: Readable): Promise<StartReply> {
  const { promise, resolve, reject } = Promise.withResolvers<StartReply>();
  let bytes = Buffer.alloc(0);
  const take = (chunk: Uint8Array): void => {
    bytes = Buffer.concat([bytes, chunk]);
    try {
      const reply = parseReply(bytes);
      if (reply !== undefined) resolve(reply);
    } catch (error) {
      reject(error);
    }
  };
  const ended = (): void => reject(new Error("it ended before it was ready"));
  stdout.on("data", take).once("error", reject).once("end", ended).once("close", ended);
  return promise.finally(() => stdout.off("data", take));
}

function parseReply(bytes: Buffer): StartReply | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const length = bytes.readUInt32LE();
  if (length > REPLY_MAX_BYTES)
    throw new Error(`its answer claims ${length} bytes, expected at most ${REPLY_MAX_BYTES}`);
  if (bytes.length < LENGTH_BYTES + length) return undefined;
  return StartReply.parse(JSON.parse(bytes.toString("utf8", LENGTH_BYTES, LENGTH_BYTES + length)));
}
