import type { Duplex } from "node:stream";

import type { FrameSink, FrameSource, VmDoor, VmIncoming, VmNetwork, VmPort } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import { FakeConnection, resetError } from "./fake-connection.ts";
import type { Losable } from "./fake-file-streams.ts";

const FIRST_FREE_PORT = 40_000;

export interface FakeNetworkOptions {
  readonly vmId: string;
  /** Throws where the VM has ended. */
  readonly check: () => void;
  readonly nextStream: () => number;
  readonly track: (stream: Losable) => void;
  readonly untrack: (stream: Losable) => void;
}

/** The network of a fake VM. Tests are its programs: they `listen` and `dial`. */
export class FakeNetwork implements VmNetwork {
  readonly #options: FakeNetworkOptions;
  readonly #listeners = new Map<string, (socket: Duplex) => void>();
  readonly #doors = new Map<string, (connection: VmIncoming) => void>();
  #nextPort = FIRST_FREE_PORT;

  constructor(options: FakeNetworkOptions) {
    this.#options = options;
  }

  /** Where doors are: ports, and paths. */
  get places(): readonly string[] {
    return [...this.#doors.keys()];
  }

  get doors(): ReadonlySet<number> {
    return new Set([...this.#doors.keys()].map(Number).filter(Number.isInteger));
  }

  /** A program of the VM listens there. The result closes it. */
  listen(at: VmPort, onConnection: (socket: Duplex) => void): () => void {
    const key = keyOf(at);
    if (this.#listeners.has(key) || this.#doors.has(key)) throw inUse(key);
    this.#listeners.set(key, onConnection);
    return () => void this.#listeners.delete(key);
  }

  /** A program of the VM connects to a door. Its socket fails with ECONNRESET where it is refused. */
  dial(at: VmPort): Duplex {
    const key = keyOf(at);
    const onConnection = this.#doors.get(key);
    if (onConnection === undefined) throw new Error(`connect ECONNREFUSED ${key}`);
    const sink = new LateSink();
    const connection = this.#connection(sink);
    onConnection({
      accept: (target) => {
        sink.attach(target);
        return connection;
      },
      refuse: () => void connection.program.destroy(resetError()),
    });
    return connection.program;
  }

  async connect(
    to: VmPort,
    sink: FrameSink,
    { signal }: { signal: AbortSignal },
  ): Promise<FrameSource> {
    this.#options.check();
    signal.throwIfAborted();
    const port = keyOf(to);
    const onConnection = this.#listeners.get(port);
    if (onConnection === undefined) {
      const { vmId } = this.#options;
      const message = `no program of VM ${vmId} takes connections at ${port}`;
      throw new AgentOsError("PORT_CLOSED", message, { vmId, port });
    }
    const connection = this.#connection(sink);
    onConnection(connection.program);
    return connection;
  }

  async open(at: VmPort, onConnection: (connection: VmIncoming) => void): Promise<VmDoor> {
    this.#options.check();
    const port = "path" in at ? undefined : at.port === 0 ? this.#nextPort++ : at.port;
    const key = "path" in at || at.address !== undefined ? keyOf(at) : String(port);
    if (this.#listeners.has(key) || this.#doors.has(key)) throw inUse(key);
    this.#doors.set(key, onConnection);
    return {
      port,
      [Symbol.asyncDispose]: async () => void this.#doors.delete(key),
    };
  }

  /** The link of an earlier sidecar is gone: doors can be opened again. */
  detach(): void {
    this.#doors.clear();
  }

  #connection(sink: FrameSink): FakeConnection {
    const { nextStream, track, untrack } = this.#options;
    const connection = new FakeConnection(sink, nextStream(), untrack);
    track(connection);
    return connection;
  }
}

/** Of a connection that nobody has accepted: what the program writes waits as frames. */
class LateSink implements FrameSink {
  #target: FrameSink | undefined;
  #waiting: Uint8Array[] = [];

  attach(target: FrameSink): void {
    this.#target = target;
    for (const frame of this.#waiting) target.frame(frame);
    this.#waiting = [];
  }

  frame(frame: Uint8Array): void {
    if (this.#target === undefined) this.#waiting.push(frame);
    else this.#target.frame(frame);
  }

  closed(reason: Error): void {
    this.#target?.closed(reason);
  }
}

function keyOf(port: VmPort): string {
  if ("path" in port) return port.path;
  return port.address === undefined ? String(port.port) : `${port.address}:${port.port}`;
}

function inUse(port: string): AgentOsError<"PORT_IN_USE"> {
  return new AgentOsError("PORT_IN_USE", `${port} is in use in the VM`, { port });
}
