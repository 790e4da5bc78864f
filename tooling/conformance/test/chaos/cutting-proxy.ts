import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

/** Stands between the clients of a pool and its sidecar, and cuts connections in the middle of their bytes. */
export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: string;
  readonly #restore: () => void;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #cuts = 0;
  #left = Infinity;
  #next: () => number = () => Infinity;

  /** Puts itself into the discovery file of the sidecar in `folder`: who connects from now on comes through here. */
  static async before(folder: string): Promise<CuttingProxy> {
    const file = join(folder, "sidecar.json");
    const text = readFileSync(file, "utf8");
    const content: { listen: { path: string } } = JSON.parse(text);
    const proxy = new CuttingProxy(content.listen.path, () => writeDiscovery(file, text));
    const path = join(folder, "proxy.sock");
    await new Promise<void>((resolve) => proxy.#server.listen(path, resolve));
    writeDiscovery(file, JSON.stringify({ ...content, listen: { kind: "unix", path } }));
    return proxy;
  }

  private constructor(target: string, restore: () => void) {
    this.#target = target;
    this.#restore = restore;
    this.#server = createServer({ allowHalfOpen: false }, (client) => this.#accept(client));
  }

  /** How often it has cut. */
  get cuts(): number {
    return this.#cuts;
  }

  /** Cuts each connection after as many bytes as `next` says, counted both ways. */
  cutAfter(next: () => number): void {
    this.#next = next;
    this.#left = next();
  }

  /** Cuts every connection now. */
  cut(): void {
    this.#cuts += 1;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#left = this.#next();
  }

  /** Who connects from now on goes past it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#restore();
    this.#next = () => Infinity;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    const sidecar = connect(this.#target);
    const pair = [client, sidecar] as const;
    this.#pairs.add(pair);
    const close = (): void => {
      this.#pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on("close", close).on("error", close);
    client.on("data", (bytes: Buffer) => this.#pass(bytes, client, sidecar));
    sidecar.on("data", (bytes: Buffer) => this.#pass(bytes, sidecar, client));
  }

  #pass(bytes: Buffer, from: Socket, to: Socket): void {
    if (bytes.length >= this.#left) {
      // Half a message is what a cut leaves.
      to.write(bytes.subarray(0, this.#left), () => this.cut());
      this.#left = Infinity;
      from.pause();
      return;
    }
    this.#left -= bytes.length;
    if (to.write(bytes)) return;
    from.pause();
    to.once("drain", () => from.resume());
  }
}

/** Whole or not at all: a client may be reading it. Nothing where the sidecar and its file are gone, or another's is there. */
function writeDiscovery(file: string, text: string): void {
  if (!existsSync(file) || pidIn(readFileSync(file, "utf8")) !== pidIn(text)) return;
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function pidIn(text: string): number {
  const content: { pid: number } = JSON.parse(text);
  return content.pid;
}
