import { isAgentOsError } from "@agentos/protocol";

import type { SidecarHost } from "../sidecar/sidecar-host.ts";
import { backOff, backoffMs } from "./backoff.ts";
import type { Connection } from "./connection.ts";

/** `closed`: there is none, and none is needed. */
export type ConnectionState = "closed" | "connecting" | "connected" | "reconnecting";

interface Attempt {
  kind: "connecting" | "reconnecting";
  /** Undefined: the sidecar, and what it connection, can't be reached again. */
  outcome: Promise<Connection | undefined>;
}

/** A handle's one connection: made by the first caller that needs it, shared by all, and made again when it is lost. */
export class ReconnectingConnection {
  readonly #host: SidecarHost;
  #state: ConnectionState = "closed";
  #current: Connection | undefined;
  #attempt: Attempt | undefined;
  #abort = new AbortController();
  #lost: Connection | undefined;
  /** Connections in a row that were lost before they were of use. */
  #useless = 0;
  /** Until when leases can wait for the next connection. */
  #until = 0;

  constructor(host: SidecarHost) {
    this.#host = host;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The connection. Callers at the same time share one start and one handshake; a failure leaves none. */
  async acquire(): Promise<Connection> {
    for (;;) {
      if (this.#current?.isUsable === true) return this.#current;
      // A sidecar whose connection was lost may be alive, with VMs: it is looked for first.
      const kind = this.#current?.isClosed === true ? "reconnecting" : "connecting";
      const connection = await this.#attemptOf(kind).outcome;
      if (connection !== undefined) return connection;
    }
  }

  /** The connection, where there is one or a sidecar is alive to connect to. Starts none. */
  async find(): Promise<Connection | undefined> {
    if (this.#attempt !== undefined || this.#current?.isUsable === true)
      return await this.acquire();
    const connection = await this.#host.find();
    return connection === undefined ? undefined : this.#publish(connection);
  }

  /** The connection after `lost`, looked for until `graceMs` have passed; undefined where the sidecar and its VMs are gone. */
  async after(lost: Connection, graceMs: number): Promise<Connection | undefined> {
    if (lost.isEnding) return undefined;
    this.#lose(lost, graceMs);
    for (;;) {
      if (this.#current !== undefined && !this.#current.isClosed) return this.#current;
      const { kind, outcome } = this.#attemptOf("reconnecting");
      // What stopped somebody else's start does not stop a search.
      const connection = await outcome.catch(() => undefined);
      if (connection !== undefined || kind === "reconnecting") return connection;
    }
  }

  /** Takes `connection` out of use; another one stays. */
  forget(connection: Connection): void {
    if (this.#current !== connection) return;
    this.#current = undefined;
    if (this.#attempt === undefined) this.#moveTo("closed");
  }

  /** Whether the connection keeps the program running. */
  keepAlive(on: boolean): void {
    this.#current?.keepAlive(on);
  }

  /** Closes the connection, if there is one, gives up looking for one, and ends what the program owns of the sidecar. */
  async close(): Promise<void> {
    const connection = this.#current;
    this.#current = undefined;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#attempt = undefined;
    this.#moveTo("closed");
    connection?.close();
    await this.#host.end();
  }

  #lose(lost: Connection, graceMs: number): void {
    const isNews = lost !== this.#lost;
    this.#lost = lost;
    if (isNews) this.#useless = lost.wasUseful ? 0 : this.#useless + 1;
    // Only one that was of use sets the clock back: a sidecar that hangs up at once is given up.
    if (this.#useless <= 1) this.#until = Math.max(this.#until, performance.now() + graceMs);
  }

  /** The attempt under way, or a new one. */
  #attemptOf(kind: Attempt["kind"]): Attempt {
    if (this.#attempt !== undefined) return this.#attempt;
    const { signal } = this.#abort;
    const make = kind === "connecting" ? this.#host.connect() : this.#search(signal);
    const attempt: Attempt = { kind, outcome: this.#settled(make, signal) };
    this.#attempt = attempt;
    this.#moveTo(kind);
    return attempt;
  }

  async #settled(
    make: Promise<Connection | undefined>,
    signal: AbortSignal,
  ): Promise<Connection | undefined> {
    try {
      const connection = await make;
      if (connection === undefined || !signal.aborted)
        return connection && this.#publish(connection);
      // Closed meanwhile: nobody waits for it.
      connection.close();
      return undefined;
    } finally {
      if (!signal.aborted) {
        this.#attempt = undefined;
        if (this.#state !== "connected") this.#gone();
      }
    }
  }

  /** Tries until it is found, can't be there any more, or the leases are over. */
  async #search(signal: AbortSignal): Promise<Connection | undefined> {
    for (let tries = Math.max(0, this.#useless - 1); !signal.aborted; tries += 1) {
      if (tries > 0) {
        if (performance.now() + backoffMs(tries) > this.#until) return undefined;
        await backOff(tries, signal).catch(() => undefined);
      }
      try {
        return await this.#host.reconnect();
      } catch (error) {
        if (!isAgentOsError(error) || !error.retryable) return undefined;
      }
    }
    return undefined;
  }

  #gone(): void {
    this.#current = undefined;
    this.#moveTo("closed");
  }

  #publish(connection: Connection): Connection {
    this.#current = connection;
    this.#moveTo("connected");
    void connection.closed.then(() => this.#closed(connection));
    return connection;
  }

  #closed(connection: Connection): void {
    if (this.#current === connection && this.#state === "connected") this.#moveTo("closed");
  }

  #moveTo(state: ConnectionState): void {
    this.#state = state;
  }
}
