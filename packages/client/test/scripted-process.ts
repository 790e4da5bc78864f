import { encodeFrame, FRAME_KIND, type ProcessExit } from "@agentos/protocol";

import type { ScriptedConnection } from "./scripted-sidecar.ts";

/** A process's end, by itself with code 0 and no output but for `parts`. */
export function exitOf(processId: string, parts: Partial<ProcessExit> = {}): ProcessExit {
  return {
    processId,
    exitCode: 0,
    signal: null,
    outcome: "exited",
    stdoutBytes: 0,
    stderrBytes: 0,
    stdoutOpen: false,
    stderrOpen: false,
    durationMs: 1,
    ...parts,
  };
}

export const out = (
  connection: ScriptedConnection,
  stream: number,
  offset: number,
  bytes: string | Uint8Array,
): void =>
  connection.peer.sendFrame(
    encodeFrame(
      FRAME_KIND.out,
      stream,
      offset,
      typeof bytes === "string" ? Buffer.from(bytes) : bytes,
    ),
  );
export const err = (
  connection: ScriptedConnection,
  stream: number,
  offset: number,
  text: string,
): void =>
  connection.peer.sendFrame(encodeFrame(FRAME_KIND.err, stream, offset, Buffer.from(text)));
export const acksOf = ({ frames }: ScriptedConnection): number[] =>
  frames.filter(({ kind }) => kind === FRAME_KIND.ack).map(({ offset }) => offset);
/** Everything of stdin below `offset` was taken. */
export const taken = (connection: ScriptedConnection, stream: number, offset: number): void =>
  connection.peer.sendFrame(encodeFrame(FRAME_KIND.inAck, stream, offset));
