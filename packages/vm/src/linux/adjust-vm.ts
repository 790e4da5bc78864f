import { encodeFrame } from "@agentos/protocol";

import { connectUnix } from "../link/connect.ts";
import { type Failure, readFailure } from "../link/failure.ts";
import { FieldWriter } from "../link/fields.ts";
import { FrameReader } from "../link/frame-reader.ts";
import { ADJUSTER_KINDS, FIELD, LINK_KIND } from "../link/link-kinds.ts";
import { diskInodes } from "./vm-config.ts";

const ANSWER_MS = 5_000;

/** What of a live VM can be changed from outside its walls only. */
export interface Adjustment {
  readonly diskBytes?: number | undefined;
  readonly watches?: number | undefined;
}

/** Has the VM's spawner change it. Resolves with why not; undefined: it is done. Rejects where nobody answers. */
export async function adjustVm(
  { spawnerPath, linkId }: { spawnerPath: string; linkId: string },
  { diskBytes, watches }: Adjustment,
): Promise<Failure | undefined> {
  const fields = new FieldWriter().text(FIELD.vmId, linkId);
  if (diskBytes !== undefined)
    fields.u64(FIELD.diskBytes, diskBytes).u64(FIELD.diskInodes, diskInodes(diskBytes));
  if (watches !== undefined) fields.u64(FIELD.watches, watches);
  const signal = AbortSignal.timeout(ANSWER_MS);
  const socket = await connectUnix(spawnerPath, signal);
  const { promise, resolve, reject } = Promise.withResolvers<Failure | undefined>();
  const reader = new FrameReader(ADJUSTER_KINDS, (kind, _stream, _offset, frame) =>
    resolve(kind === LINK_KIND.fail ? readFailure(frame) : undefined),
  );
  socket.on("data", (chunk: Buffer) => reader.push(chunk));
  // One of an earlier build knows no such frame.
  const ended = (): void => reject(new Error("the VM's spawner did not answer"));
  socket.on("error", ended).on("close", ended);
  signal.addEventListener("abort", ended, { once: true });
  socket.write(encodeFrame(LINK_KIND.adjust, 0, 0, fields.finish()));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
