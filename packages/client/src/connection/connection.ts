import {
  AgentOsError,
  type AuthenticateResult,
  isAgentOsError,
  type MethodName,
  type MethodParams,
  type MethodResult,
  Peer,
  type RequestOptions,
  SUPPORTED_VERSIONS,
} from "@agentos/protocol";

import { CallbackRouter } from "./callback-router.ts";
import { clientName } from "./client-name.ts";
import type { ClientTransport } from "./client-transport.ts";
import { EventRouter, type VmListener } from "./event-router.ts";
import type { FrameReceiver } from "./frame-receiver.ts";
import { type Endpoint, WebSocketTransport } from "./web-socket-transport.ts";

/** From connecting to the answer of `authenticate`. A sidecar that takes longer is stuck. */
const HANDSHAKE_MS = 5_000;

/** A connection that lasted this long was worth making. */
const USEFUL_MS = 1_000;

type Receivers = Map<number, FrameReceiver>;

interface Life {
  /** Set once the sidecar says that it ends. */
  isEnding: boolean;
  /** Set once it answered for something, or bytes of a stream came. */
  hasServed: boolean;
}

interface Parts {
  transport: ClientTransport;
  peer: Peer;
  facts: AuthenticateResult;
  receivers: Receivers;
  events: EventRouter;
  callbacks: CallbackRouter;
  life: Life;
}

/** One authenticated connection to a sidecar: requests, VM events, numbered streams. */
export class Connection {
  readonly #parts: Parts;
  readonly #openedAt = performance.now();
  #lastStream = 0;

  /** Connects and authenticates. Rejects with `CONNECTION_LOST`, `UNAUTHENTICATED`, `VERSION_MISMATCH` or `DEADLINE_EXCEEDED`. */
  static async open(endpoint: Endpoint, signal?: AbortSignal): Promise<Connection> {
    const transport = await WebSocketTransport.open(endpoint, { signal, timeoutMs: HANDSHAKE_MS });
    return await Connection.over(transport, signal);
  }

  /** Authenticates on an open transport. */
  static async over(transport: ClientTransport, signal?: AbortSignal): Promise<Connection> {
    const receivers: Receivers = new Map();
    const life: Life = { isEnding: false, hasServed: false };
    const events = new EventRouter(() => {
      life.isEnding = true;
    });
    const callbacks = new CallbackRouter();
    const peer = new Peer(transport, {
      handlers: {
        ping: () => ({}),
        "callback.call": (params, context) => callbacks.answer(params, context.signal),
      },
      onEvent: (event, data) => events.route(event, data),
      onFrame: (frame) => {
        life.hasServed = true;
        receivers.get(frame.stream)?.frame(frame);
      },
    });
    const facts = await authenticate(peer, signal);
    return new Connection({ transport, peer, facts, receivers, events, callbacks, life });
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  get connectionId(): string {
    return this.#parts.facts.connectionId;
  }

  get sidecarId(): string {
    return this.#parts.facts.sidecarId;
  }

  get epoch(): number {
    return this.#parts.facts.epoch;
  }

  /** Largest message of this connection, in bytes. */
  get maxFrameBytes(): number {
    return this.#parts.facts.maxFrameBytes;
  }

  get isClosed(): boolean {
    return this.#parts.peer.isClosed;
  }

  /** Whether the sidecar said that it ends, and its VMs with it. */
  get isEnding(): boolean {
    return this.#parts.life.isEnding;
  }

  /** Whether new VMs may go through it: open, and the sidecar is not ending. */
  get isUsable(): boolean {
    return !this.isEnding && !this.isClosed;
  }

  /** Whether it lasted, or served anything: a sidecar that hangs up at once is no way on. */
  get wasUseful(): boolean {
    return this.#parts.life.hasServed || performance.now() - this.#openedAt >= USEFUL_MS;
  }

  /** Resolves once, with why the connection is over. */
  get closed(): Promise<AgentOsError> {
    return this.#parts.peer.closed;
  }

  /** Asks the sidecar. */
  async request<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options?: RequestOptions,
  ): Promise<MethodResult<M>> {
    const result = await this.#parts.peer.request(method, params, options);
    // Holding a lease is the beginning of use, not use.
    if (method !== "lease.resume") this.#parts.life.hasServed = true;
    return result;
  }

  /** Takes the next stream number for `receiver`. */
  openStream(receiver: FrameReceiver): number {
    this.#lastStream += 1;
    this.#parts.receivers.set(this.#lastStream, receiver);
    return this.#lastStream;
  }

  /** Frames that still come for `stream` are dropped. */
  closeStream(stream: number): void {
    this.#parts.receivers.delete(stream);
  }

  sendFrame(frame: Uint8Array): void {
    this.#parts.peer.sendFrame(frame);
  }

  /** Hears what happens to a VM; the result stops it. */
  subscribe(vmId: string, listener: VmListener): () => void {
    return this.#parts.events.subscribe(vmId, listener);
  }

  /** Where what the sidecar asks of this program goes. */
  get callbacks(): CallbackRouter {
    return this.#parts.callbacks;
  }

  /** Whether the open connection keeps the program running. */
  keepAlive(on: boolean): void {
    this.#parts.transport.keepAlive?.(on);
  }

  close(): void {
    this.#parts.peer.close();
  }
}

async function authenticate(
  peer: Peer,
  signal: AbortSignal | undefined,
): Promise<AuthenticateResult> {
  const params = { protocol: SUPPORTED_VERSIONS, client: clientName() };
  try {
    return await peer.request("authenticate", params, { signal, deadlineMs: HANDSHAKE_MS });
  } catch (error) {
    peer.close();
    if (!isAgentOsError(error, "PROTOCOL_ERROR")) throw error;
    throw new AgentOsError("PROTOCOL_ERROR", "unexpected authenticate response", error.details, {
      cause: error,
    });
  }
}
