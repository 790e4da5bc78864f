import { randomUUID } from "node:crypto";

import type { Clock } from "@agentos/core";
import {
  AgentOsError,
  type CallbackParams,
  type CallbackResult,
  type EventData,
  type EventName,
  type Handlers,
  Peer,
  type RequestOptions,
  type Transport,
} from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { connectionHandlers } from "../handlers/connection.ts";
import { fsHandlers } from "../handlers/fs.ts";
import { gated } from "../handlers/gated.ts";
import type { HandlerContext, SidecarParts } from "../handlers/handler-context.ts";
import { imageHandlers } from "../handlers/image.ts";
import { keyHandlers } from "../handlers/key.ts";
import { leaseHandlers } from "../handlers/lease.ts";
import { networkHandlers } from "../handlers/network.ts";
import { processHandlers } from "../handlers/process.ts";
import { relayHandlers } from "../handlers/relay.ts";
import { sessionHandlers } from "../handlers/session.ts";
import { sidecarHandlers } from "../handlers/sidecar.ts";
import { snapshotHandlers } from "../handlers/snapshot.ts";
import { terminalHandlers } from "../handlers/terminal.ts";
import { vmHandlers } from "../handlers/vm.ts";
import { workflowHandlers } from "../handlers/workflow.ts";
import type { ApiKey } from "../keys/api-keys.ts";
import { errorFacts, type Log } from "../log.ts";
import type { Asker } from "../sessions/bound-callbacks.ts";
import type { Holder } from "../vms/holder.ts";
import { StreamTable } from "./stream-table.ts";

export interface ConnectionOptions {
  transport: Transport;
  /** The key that opened it. */
  key: ApiKey;
  parts: SidecarParts;
  clock: Clock;
  log: Log;
}

/** One client: its peer, its streams, and through the host its leases. */
export class Connection implements Holder, Asker {
  readonly id = `c-${randomUUID()}`;
  readonly #options: ConnectionOptions;
  readonly #peer: Peer;
  readonly #streams: StreamTable;
  readonly #cancelDeadline: () => void;
  #state: "connected" | "authenticated" | "closed" = "connected";

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { transport, key, parts, log } = options;
    this.#streams = new StreamTable({
      sendFrame: (frame) => this.#sendFrame(frame),
      violate: (reason) => this.close(new AgentOsError("PROTOCOL_ERROR", reason, { reason })),
    });
    const context: HandlerContext = {
      ...parts,
      holder: this,
      key,
      streams: this.#streams,
      asker: this,
    };
    this.#peer = new Peer(transport, {
      handlers: this.#handlers(context),
      onFrame: (frame, bytes) => this.#streams.receive(frame, bytes),
      onFault: (error) =>
        log.error({ connectionId: this.id, ...errorFacts(error) }, "a request failed inside"),
    });
    this.#cancelDeadline = options.clock.after(BOUNDS.authenticateMs, () => this.close(late()));
    const forget = parts.keys.onEnd(key.keyId, () => this.close(keyEnded()));
    void this.#peer.closed.then((reason) => this.#closed(reason, forget));
  }

  get user(): string {
    return this.#options.key.user;
  }

  get isClosed(): boolean {
    return this.#peer.isClosed;
  }

  /** Resolves once, with why. */
  get closed(): Promise<AgentOsError> {
    return this.#peer.closed;
  }

  emit<E extends EventName>(event: E, data: EventData<E>): void {
    if (this.#state === "authenticated") this.#peer.emit(event, data);
  }

  async ask(params: CallbackParams, options: RequestOptions): Promise<CallbackResult> {
    return await this.#peer.request("callback.call", params, options);
  }

  letGo(vmKey: string): void {
    this.#streams.closeOf(vmKey);
  }

  close(reason?: AgentOsError): void {
    this.#peer.close(reason);
  }

  #handlers(context: HandlerContext): Handlers {
    const afterwards = {
      ...keyHandlers(context),
      ...sidecarHandlers(context),
      ...vmHandlers(context),
      ...leaseHandlers(context),
      ...snapshotHandlers(context),
      ...imageHandlers(context),
      ...processHandlers(context),
      ...terminalHandlers(context),
      ...networkHandlers(context),
      ...fsHandlers(context),
      ...sessionHandlers(context),
      ...workflowHandlers(context),
      ...relayHandlers(context),
    };
    return {
      ...gated(afterwards, () => this.#assertAuthenticated()),
      ...connectionHandlers(context, () => this.#authenticated()),
    };
  }

  #authenticated(): void {
    if (this.#state !== "connected") return;
    this.#state = "authenticated";
    this.#cancelDeadline();
    this.#options.parts.host.join(this);
  }

  #assertAuthenticated(): void {
    if (this.#state === "authenticated") return;
    const reason = "expected authenticate as the first request";
    throw new AgentOsError("UNAUTHENTICATED", reason, { reason });
  }

  #sendFrame(frame: Uint8Array): void {
    this.#peer.sendFrame(frame);
    if (this.#peer.bufferedBytes <= BOUNDS.bufferedBytes) return;
    const reason = `the client left ${BOUNDS.bufferedBytes} bytes unread`;
    this.close(new AgentOsError("CONNECTION_LOST", reason, { reason }));
  }

  #closed(reason: AgentOsError, forget: () => void): void {
    this.#state = "closed";
    this.#cancelDeadline();
    forget();
    this.#streams.connectionLost();
    this.#options.parts.callbacks.leave(this);
    this.#options.parts.host.leave(this);
    const facts = {
      connectionId: this.id,
      user: this.user,
      reason: reason.message,
      droppedFrames: this.#streams.dropped,
    };
    this.#options.log.debug(facts, "a connection ended");
  }
}

function late(): AgentOsError {
  const reason = `no authenticate within ${BOUNDS.authenticateMs} ms`;
  return new AgentOsError("UNAUTHENTICATED", reason, { reason });
}

function keyEnded(): AgentOsError {
  const reason = "the API key of this connection was revoked or has expired";
  return new AgentOsError("UNAUTHENTICATED", reason, { reason });
}
