import { Connection } from "../connection/connection.ts";
import type { Endpoint } from "../connection/web-socket-transport.ts";
import type { Hosted, SidecarHost } from "./sidecar-host.ts";

/** Where a handle keeps its one connection: opened by the first caller that needs it, shared by all. */
export class ConnectionSlot {
  readonly #host: SidecarHost;
  readonly #endpoints = new WeakMap<Connection, Endpoint>();
  readonly #recoveries = new WeakMap<Connection, Promise<Connection | undefined>>();
  #current: Connection | undefined;
  #opening: Promise<Connection> | undefined;

  constructor(host: SidecarHost) {
    this.#host = host;
  }

  /** The connection. Callers at the same time share one start and one handshake; a failure leaves the slot empty. */
  async acquire(): Promise<Connection> {
    if (this.#current?.isUsable === true) return this.#current;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return await this.#opening;
  }

  /** The connection, where there is one or a sidecar is alive to connect to. Starts none. */
  async find(): Promise<Connection | undefined> {
    if (this.#opening !== undefined || this.#current?.isUsable === true)
      return await this.acquire();
    const hosted = await this.#host.find();
    return hosted === undefined ? undefined : this.#publish(hosted);
  }

  /** Another connection to the sidecar that `lost` led to; undefined where nobody answers there. */
  async recover(lost: Connection): Promise<Connection | undefined> {
    const known = this.#recoveries.get(lost);
    if (known !== undefined) return await known;
    this.forget(lost);
    const recovery = this.#reopen(lost);
    this.#recoveries.set(lost, recovery);
    return await recovery;
  }

  /** Takes `connection` out of the slot; another one stays. */
  forget(connection: Connection): void {
    if (this.#current === connection) this.#current = undefined;
  }

  /** Whether the connection keeps the program running. */
  keepAlive(on: boolean): void {
    this.#current?.keepAlive(on);
  }

  /** Closes the connection, if there is one, and ends what the program owns of the sidecar. */
  async close(): Promise<void> {
    const connection = this.#current;
    this.#current = undefined;
    connection?.close();
    await this.#host.end();
  }

  async #open(): Promise<Connection> {
    const lost = this.#current;
    const again = lost?.isClosed === true ? await this.recover(lost) : undefined;
    return again ?? this.#publish(await this.#host.connect());
  }

  async #reopen(lost: Connection): Promise<Connection | undefined> {
    const endpoint = this.#endpoints.get(lost);
    if (endpoint === undefined) return undefined;
    try {
      const connection = await Connection.open(endpoint);
      if (connection.sidecarId === lost.sidecarId) return this.#publish({ connection, endpoint });
      connection.close();
      return undefined;
    } catch {
      // Whatever the reason: nobody at that address can be asked any more.
      return undefined;
    }
  }

  #publish({ connection, endpoint }: Hosted): Connection {
    this.#endpoints.set(connection, endpoint);
    this.#current = connection;
    return connection;
  }
}
