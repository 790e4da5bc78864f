import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  type AuthenticateResult,
  type Handlers,
  type Message,
  Peer,
  type StreamFrame,
  type Transport,
  type VmInfo,
} from "@agentos/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import * as z from "zod";

import { sidecarFolder } from "../src/sidecar/runtime-directory.ts";

/** A runtime directory of a test's own; removed with `dispose`. */
export function temporaryDirectory(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "aos-"));
  return { path, [Symbol.dispose]: () => removeTree(path) };
}

/** Also what lies in directories that their owner may not write. */
function removeTree(path: string): void {
  execFileSync("chmod", ["-R", "u+rwX", path]);
  rmSync(path, { recursive: true, force: true });
}

const Text = z.object({ type: z.string(), method: z.string().optional() });

class ServerTransport implements Transport {
  onMessage: ((message: Message) => void) | undefined;
  onClose: ((reason: Error | undefined) => void) | undefined;
  readonly bufferedBytes = 0;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket, intercept: (text: string) => string | undefined) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      const bytes = Buffer.isBuffer(data) ? data : Buffer.alloc(0);
      if (isBinary) return this.onMessage?.(bytes);
      const instead = intercept(bytes.toString());
      if (instead === undefined) this.onMessage?.(bytes.toString());
      else socket.send(instead);
    });
    socket.on("close", () => this.onClose?.(undefined));
  }

  send(message: Message): void {
    this.#socket.send(message);
  }

  close(): void {
    this.#socket.close();
  }

  destroy(): void {
    this.#socket.terminate();
  }
}

/** One client's connection, as the scripted sidecar sees it. */
export class ScriptedConnection {
  readonly peer: Peer;
  /** Frames that the client sent. */
  readonly frames: StreamFrame[] = [];
  /** Calls back for each further frame. */
  onFrame: ((frame: StreamFrame) => void) | undefined;
  readonly #transport: ServerTransport;

  constructor(transport: ServerTransport, handlers: (connection: ScriptedConnection) => Handlers) {
    this.#transport = transport;
    this.peer = new Peer(transport, {
      handlers: handlers(this),
      onFrame: (frame) => {
        this.frames.push(frame);
        this.onFrame?.(frame);
      },
    });
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#transport.destroy();
  }
}

export interface ScriptedOptions {
  runtimeDirectory: string;
  pool?: string;
  sidecarId?: string;
  epoch?: number;
  /** Instead of, or beside, what it answers by itself. */
  handlers?: (connection: ScriptedConnection) => Handlers;
  /** Sees every text message first; what it gives back is sent instead of handling it. */
  intercept?: (text: string) => string | undefined;
}

/** A sidecar that says what a test tells it to: the real wire on a real unix socket, and nothing behind it. */
export class ScriptedSidecar implements AsyncDisposable {
  readonly folder: string;
  readonly connections: ScriptedConnection[] = [];
  /** Method names in order of arrival. */
  readonly requests: string[] = [];
  readonly released: string[] = [];
  readonly sidecarId: string;
  readonly epoch: number;
  readonly #options: ScriptedOptions;
  readonly #apiKey = randomUUID();
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });

  static async listen(options: ScriptedOptions): Promise<ScriptedSidecar> {
    const sidecar = new ScriptedSidecar(options);
    await sidecar.#listen();
    return sidecar;
  }

  private constructor(options: ScriptedOptions) {
    this.#options = options;
    this.sidecarId = options.sidecarId ?? "scripted";
    this.epoch = options.epoch ?? 1;
    this.folder = join(options.runtimeDirectory, sidecarFolder("pool", options.pool ?? "default"));
    this.#http = createServer();
    this.#http.on("upgrade", (request, socket, head) => {
      if (request.headers.authorization !== `Bearer ${this.#apiKey}`) {
        socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket));
    });
  }

  get open(): ScriptedConnection[] {
    return this.connections.filter(({ peer }) => !peer.isClosed);
  }

  /** As `kill -9` would: connections cut, nobody listens, the discovery file stays. */
  async die(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    for (const connection of this.connections) connection.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.die();
  }

  vm(vmId: string, name?: string): VmInfo {
    const limit = { value: null, enforcement: "none" } as const;
    const limits = {
      memoryBytes: limit,
      cpus: limit,
      pids: limit,
      diskBytes: limit,
      openFiles: limit,
      watches: limit,
      wallMs: limit,
      networkConnections: limit,
      networkBytes: limit,
      outputBytes: limit,
      outputRate: limit,
      terminals: limit,
    };
    return {
      vmId,
      driver: "scripted",
      isolation: "none",
      image: "host",
      limits,
      network: { egress: "none" },
      sidecarId: this.sidecarId,
      sidecarPid: process.pid,
      epoch: this.epoch,
      fence: 1,
      leases: 1,
      createdAt: new Date().toISOString(),
      ...(name === undefined ? {} : { name }),
    };
  }

  async #listen(): Promise<void> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, "sidecar.sock");
    rmSync(path, { force: true });
    await new Promise<void>((resolve) => this.#http.listen(path, resolve));
    const { sidecarId, epoch } = this;
    const content = {
      sidecarId,
      epoch,
      pid: process.pid,
      listen: { kind: "unix", path },
      apiKey: this.#apiKey,
      protocol: { min: 1, max: 1 },
    };
    writeFileSync(join(this.folder, "sidecar.json"), JSON.stringify(content), { mode: 0o600 });
  }

  #accept(socket: WebSocket): void {
    const transport = new ServerTransport(socket, (text) => {
      const { type, method } = Text.parse(JSON.parse(text));
      if (type === "request" && method !== undefined) this.requests.push(method);
      return this.#options.intercept?.(text);
    });
    const { handlers } = this.#options;
    this.connections.push(
      new ScriptedConnection(transport, (connection) => ({
        ...this.#own(),
        ...handlers?.(connection),
      })),
    );
  }

  #own(): Handlers {
    return {
      authenticate: (): AuthenticateResult => ({
        connectionId: `c-${this.connections.length}`,
        sidecarId: this.sidecarId,
        epoch: this.epoch,
        protocol: 1,
        maxFrameBytes: 65_536,
        heartbeatMs: 5_000,
        capabilities: [],
      }),
      ping: () => ({}),
      "vm.create": ({ vmId, leaseId, name }) => ({
        lease: { leaseId, vmId, fence: 1, ttlMs: 0 },
        vm: this.vm(vmId, name),
      }),
      "vm.list": () => ({ vms: [] }),
      "vm.info": ({ vmId }) => this.vm(vmId),
      "lease.release": ({ vmId }) => {
        this.released.push(vmId);
        return {};
      },
      "process.release": () => ({}),
      "stream.close": () => ({}),
    };
  }
}
