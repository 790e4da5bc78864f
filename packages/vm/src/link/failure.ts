import { FRAME_HEADER_BYTES } from "@agentos/protocol";

import { type Errno, errnoOf } from "./errno.ts";
import { violation } from "./violation.ts";

/** What a FAIL frame says. The step is the VM's word: shown to nobody but as one of a known list. */
export interface Failure {
  readonly errno: Errno;
  readonly step: string;
}

/** Reads a whole FAIL frame. Throws `PROTOCOL_ERROR`. */
export function readFailure(frame: Uint8Array): Failure {
  const payload = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).subarray(
    FRAME_HEADER_BYTES,
  );
  if (payload.byteLength < 4) throw violation("a FAIL frame is cut");
  const step = payload.toString("latin1", 4).replaceAll(/[^\w .:/-]/g, "?");
  return { errno: errnoOf(payload.readUInt32LE(0)), step };
}
