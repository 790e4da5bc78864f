import { encodeFrame } from "@agentos/protocol";

import { connectUnix } from "./connect.ts";
import type { Failure } from "./failure.ts";
import { u32, u64 } from "./fields.ts";
import { Handshake } from "./handshake.ts";
import { Link } from "./link.ts";
import { LINK_KIND, LINK_VERSIONS } from "./link-kinds.ts";
import type { TableEntry } from "./table-entry.ts";

export interface AttachOptions {
  vmId: string;
  /** The VM's adoption socket. */
  socketPath: string;
  secret: Uint8Array;
  /** This life of the sidecar; the VM refuses a lower one than it has seen. */
  epoch: number;
  signal: AbortSignal;
}

export type Attached =
  | { readonly ok: true; readonly link: Link; readonly processes: TableEntry[] }
  | { readonly ok: false; readonly failure: Failure };

/**
 * Takes over a VM whose sidecar is gone: a new link, and what runs on it, each stream with what was
 * acknowledged and produced. Rejects with the connection's error, `VM_ENDED` or the signal's reason.
 */
export async function attachLink(options: AttachOptions): Promise<Attached> {
  const [newest = 0, ...older] = LINK_VERSIONS;
  let attached = await attachAs(newest, options);
  for (const version of older) {
    if (attached.ok || attached.failure.step !== "version") break;
    // oxlint-disable-next-line no-await-in-loop -- each version is tried once the one before was refused
    attached = await attachAs(version, options);
  }
  return attached;
}

async function attachAs(version: number, options: AttachOptions): Promise<Attached> {
  const { vmId, socketPath, secret, epoch, signal } = options;
  const socket = await connectUnix(socketPath, signal);
  const handshake = new Handshake("configuring");
  const link = new Link(vmId, socket, handshake);
  const onAbort = (): void => link.end("attaching to it was given up");
  signal.addEventListener("abort", onAbort, { once: true });
  // An abort from before is told to nobody.
  if (signal.aborted) onAbort();
  try {
    const hello = Buffer.concat([u32(version), u64(epoch), secret]);
    socket.write(encodeFrame(LINK_KIND.hello, 0, 0, hello));
    const result = await handshake.ready;
    if (!result.ok) {
      link.end("it refused to be attached to");
      return result;
    }
    link.version = result.version;
    link.walls = result.walls;
    const listing = handshake.table();
    link.send(LINK_KIND.table, 0);
    const processes = await listing;
    link.skipStreams(Math.max(0, ...processes.map(({ stream }) => stream)));
    return { ok: true, link, processes };
  } catch (error) {
    link.end("attaching to it failed");
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
