import type { FrameSink, FrameSource, VmIncoming, VmNetwork, VmPort } from "@agentos/core";
import { decodeFrame, encodeFrame, FrameDuplex, type FrameSender } from "@agentos/protocol";

/**
 * A connection with a program of a VM, inside the sidecar. What takes any duplex stream takes this. A
 * server that programs of the VM reach:
 *
 * ```text
 * const server = http.createServer(handler);
 * const door = await network.open({ port: 4100 }, (incoming) => {
 *   server.emit("connection", VmSocket.accept(incoming));
 * });
 * ```
 *
 * and a client of a program that listens in the VM: `http.request({ createConnection: () => socket })`
 * with `socket = await VmSocket.connect(network, { port: 3000 }, { signal })`.
 */
export class VmSocket extends FrameDuplex {
  readonly #sink: FrameSink = {
    frame: (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame !== undefined) this.receive(frame);
    },
    closed: (reason) => this.destroy(reason),
  };

  /** Takes a connection that a program made to a door. */
  static accept(incoming: VmIncoming): VmSocket {
    const socket = new VmSocket();
    socket.attach(senderTo(incoming.accept(socket.#sink)));
    return socket;
  }

  /** Rejects as `VmNetwork.connect` says. */
  static async connect(
    network: VmNetwork,
    to: VmPort,
    options: { signal: AbortSignal },
  ): Promise<VmSocket> {
    const socket = new VmSocket();
    socket.attach(senderTo(await network.connect(to, socket.#sink, options)));
    return socket;
  }
}

function senderTo(source: FrameSource): FrameSender {
  return {
    send: (kind, offset, payload) => source.send(encodeFrame(kind, 0, offset, payload)),
    close: () => source.close(),
  };
}
