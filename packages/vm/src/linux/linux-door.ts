import type { FrameSink, FrameSource, VmDoor, VmIncoming, VmPort } from "@agentos/core";
import { AgentOsError, DEFAULTS, FRAME_HEADER_BYTES } from "@agentos/protocol";

import { type Failure, readFailure } from "../link/failure.ts";
import { u32 } from "../link/fields.ts";
import { deadlineExceeded, type Link, type LinkStream, unexpected } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import { PayloadReader } from "../link/payload-reader.ts";
import { Stream } from "../link/stream.ts";
import { StreamCredit } from "../link/stream-credit.ts";
import { encodePort, portText } from "./vm-port.ts";

const MAX_DOORS = 256;
/** Where doors at a path are: nothing but PID 1 can make a file there. */
const DOORS_PATH = "/run/agentos";

export interface DoorListeners {
  readonly onConnection: (connection: VmIncoming) => void;
  /** It was given up, or never opened. */
  readonly onClosed: (door: LinuxDoor) => void;
}

/** opening -> open -> closed */
type DoorState = "opening" | "open" | "closed";

/** A place at which PID 1 listens. Each connection that it takes becomes a stream of its own. */
export class LinuxDoor implements VmDoor, LinkStream {
  readonly #link: Link;
  readonly #at: VmPort;
  readonly #on: DoorListeners;
  readonly #opened = Promise.withResolvers<void>();
  readonly #number: number;
  /** Of connections that came in here, until they are over. */
  readonly #streams = new Set<Stream>();
  #port: number | undefined;
  #state: DoorState = "opening";

  private constructor(link: Link, at: VmPort, on: DoorListeners) {
    this.#link = link;
    this.#at = at;
    this.#on = on;
    this.#number = link.open(this);
  }

  /** Rejects with `PORT_IN_USE`, `INVALID_ARGUMENT`, `POOL_EXHAUSTED`, `VM_ENDED` or `DEADLINE_EXCEEDED`. */
  static async open(link: Link, at: VmPort, on: DoorListeners): Promise<LinuxDoor> {
    const door = new LinuxDoor(link, at, on);
    const timer = setTimeout(() => {
      door.#opened.reject(deadlineExceeded("network.open", DEFAULTS.requestMs));
    }, DEFAULTS.requestMs);
    link.send(LINK_KIND.listen, door.#number, encodePort(at));
    try {
      await door.#opened.promise;
      return door;
    } catch (error) {
      await door[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get port(): number | undefined {
    return this.#port;
  }

  frame(kind: number, _offset: number, frame: Uint8Array): void {
    if (this.#state === "open" && kind === LINK_KIND.incoming) this.#incoming(frame);
    else if (this.#state !== "opening") throw unexpected(kind);
    else if (kind === LINK_KIND.fail) this.#opened.reject(listenError(this.#at, frame));
    else if (kind === LINK_KIND.listening) this.#open(frame);
    else throw unexpected(kind);
  }

  closed(reason: AgentOsError<"VM_ENDED">): void {
    this.#state = "closed";
    this.#opened.reject(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#on.onClosed(this);
    this.#link.send(LINK_KIND.release, this.#number);
    this.#link.forget(this.#number);
    for (const stream of this.#streams) {
      stream.close();
      stream.breakOff(new Error("the door was closed"));
    }
  }

  #open(frame: Uint8Array): void {
    const port = PayloadReader.ofFrame(frame).u16();
    this.#port = "port" in this.#at ? port : undefined;
    this.#state = "open";
    this.#opened.resolve();
  }

  #incoming(frame: Uint8Array): void {
    const token = frame.slice(FRAME_HEADER_BYTES);
    let decided = false;
    const decide = (): void => {
      if (decided) throw new Error("the connection was accepted or refused before");
      decided = true;
    };
    this.#on.onConnection({
      accept: (sink) => {
        decide();
        return this.#take(token, sink);
      },
      refuse: () => {
        decide();
        this.#link.send(LINK_KIND.refuse, 0, token);
      },
    });
  }

  #take(token: Uint8Array, sink: FrameSink): FrameSource {
    const windowBytes = DEFAULTS.streamWindowBytes;
    const credit = new StreamCredit({ windowBytes, stdinWindowBytes: windowBytes, gaps: false });
    const stream: Stream = new Stream(this.#link, sink, credit, {
      closed: () => this.#streams.delete(stream),
    });
    this.#streams.add(stream);
    const payload = Buffer.concat([token, u32(windowBytes), u32(windowBytes)]);
    this.#link.send(LINK_KIND.take, stream.number, payload);
    return stream;
  }
}

function listenError(at: VmPort, frame: Uint8Array): AgentOsError {
  const failure = readFailure(frame);
  const port = portText(at);
  if (failure.errno.name === "EADDRINUSE") {
    return new AgentOsError("PORT_IN_USE", `${port} is in use in the VM`, { port });
  }
  if (failure.errno.name === "EAGAIN") {
    const limit = "doors";
    const details = { limit, capacity: MAX_DOORS, waiting: 0 };
    return new AgentOsError("POOL_EXHAUSTED", `the VM has ${MAX_DOORS} ${limit}`, details);
  }
  return refused(at, failure);
}

function refused(at: VmPort, { errno, step }: Failure): AgentOsError {
  const argument = "path" in at ? "path" : "port";
  const expected = "path" in at ? `a name in ${DOORS_PATH}` : "a port from 1024, or 0";
  if (errno.name === "EINVAL" || errno.name === "EACCES") {
    const actual = portText(at);
    const message = `${argument}: expected ${expected}, got ${actual}`;
    return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
  }
  const message = `the VM could not listen at ${portText(at)}: ${errno.name}`;
  return new AgentOsError("INTERNAL", message, { reason: `${step}: ${errno.name}` });
}
