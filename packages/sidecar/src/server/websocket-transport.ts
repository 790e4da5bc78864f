import { type Corkable, type Message, type Transport, WriteBatch } from "@agentos/protocol";
import type { RawData, WebSocket } from "ws";

import { BOUNDS } from "../bounds.ts";

/** A WebSocket as the peer's transport. After `close` nothing more is received, whatever the other end sends. */
export class WebSocketTransport implements Transport {
  onMessage: ((message: Message) => void) | undefined;
  onClose: ((reason: Error | undefined) => void) | undefined;
  readonly #socket: WebSocket;
  readonly #batch: WriteBatch;
  #state: "open" | "closing" = "open";
  #failure: Error | undefined;

  /** `raw` is what the WebSocket writes to. */
  constructor(socket: WebSocket, raw: Corkable) {
    this.#socket = socket;
    this.#batch = new WriteBatch(raw);
    socket.on("message", (data, isBinary) => {
      if (this.#state === "open") this.onMessage?.(toMessage(data, isBinary));
    });
    socket.on("error", (error) => {
      this.#failure = error;
    });
    socket.on("close", () => this.onClose?.(this.#failure));
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: Message): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#batch.join();
    this.#socket.send(message);
  }

  close(code = 1000, reason = ""): void {
    if (this.#state === "closing") return;
    this.#state = "closing";
    this.#socket.close(code, reason);
    const timer = setTimeout(() => this.#socket.terminate(), BOUNDS.closeMs);
    this.#socket.once("close", () => clearTimeout(timer));
  }
}

function toMessage(data: RawData, isBinary: boolean): Message {
  const bytes = bufferOf(data);
  return isBinary ? bytes : bytes.toString("utf8");
}

function bufferOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
