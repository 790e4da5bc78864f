import { AgentOsError, CHANNEL, FRAME_KIND, type StreamFrame } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { StreamLink, type StreamLinkOptions } from "./stream-link.ts";

type OpenOptions = Pick<StreamLinkOptions, "number" | "vmKey" | "kind" | "windowBytes" | "meter">;

/** The numbered streams of one connection. */
export class StreamTable {
  readonly #parts: Pick<StreamLinkOptions, "sendFrame" | "violate">;
  readonly #links = new Map<number, StreamLink>();
  #dropped = 0;

  constructor(parts: Pick<StreamLinkOptions, "sendFrame" | "violate">) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#links.size;
  }

  /** Frames that belonged to no stream. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Throws `ALREADY_EXISTS` where the number is in use, `POOL_EXHAUSTED` where there are too many. */
  open(options: OpenOptions): StreamLink {
    const { number } = options;
    if (this.#links.has(number)) {
      const id = String(number);
      throw new AgentOsError("ALREADY_EXISTS", `stream ${id} of this connection is in use`, {
        kind: "stream",
        id,
      });
    }
    if (this.#links.size >= BOUNDS.streamsPerConnection) throw tooMany();
    const onClosed = (): void => {
      if (this.#links.get(number) === link) this.#links.delete(number);
    };
    const link = new StreamLink({ ...options, ...this.#parts, onClosed });
    this.#links.set(number, link);
    return link;
  }

  get(number: number): StreamLink | undefined {
    return this.#links.get(number);
  }

  /** A frame from the client. What fits no stream, or is not a client's to send, is dropped and counted. */
  receive(frame: StreamFrame, bytes: Uint8Array): void {
    const link = this.#links.get(frame.stream);
    if (link === undefined || !isFromClient(frame)) this.#dropped += 1;
    else link.receive(frame, bytes);
  }

  /** The connection holds nothing on the VM any more. Its processes' streams are the process table's to end. */
  closeOf(vmKey: string): void {
    for (const link of this.#links.values())
      if (link.vmKey === vmKey && !outlivesConnection(link)) link.close();
  }

  /** The connection is lost. */
  connectionLost(): void {
    for (const link of this.#links.values()) {
      if (outlivesConnection(link)) link.detach();
      else link.close();
    }
  }
}

function outlivesConnection({ kind }: StreamLink): boolean {
  return kind === "process" || kind === "terminal";
}

function isFromClient({ kind, payload }: StreamFrame): boolean {
  if (kind === FRAME_KIND.dataIn || kind === FRAME_KIND.eofIn) return true;
  if (kind === FRAME_KIND.release) return payload.byteLength === 0;
  const channel = payload[0];
  return (
    kind === FRAME_KIND.ack &&
    payload.byteLength === 1 &&
    (channel === CHANNEL.stdout || channel === CHANNEL.stderr)
  );
}

function tooMany(): AgentOsError {
  const capacity = BOUNDS.streamsPerConnection;
  return new AgentOsError(
    "POOL_EXHAUSTED",
    `this connection has ${capacity} streams, the most it can have`,
    {
      limit: "streamsPerConnection",
      capacity,
      waiting: 0,
    },
  );
}
