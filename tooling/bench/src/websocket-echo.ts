import { once } from "node:events";
import { createServer } from "node:http";

import { WebSocket, WebSocketServer } from "ws";
import * as z from "zod";

const Ping = z.object({ id: z.int(), method: z.string(), params: z.object({ path: z.string() }) });

export interface Echo extends AsyncDisposable {
  /** JSON out, parsed and checked at the other end, JSON back, parsed and checked here. */
  roundTrip(): Promise<void>;
}

/** The floor of a control message: ws on a unix socket, JSON and zod, nothing else. */
export async function startEcho(path: string): Promise<Echo> {
  const server = createServer().listen(path);
  await once(server, "listening");
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on("connection", (socket) => {
    socket.on("message", (data: Buffer) => {
      socket.send(JSON.stringify(Ping.parse(JSON.parse(data.toString("utf8")))));
    });
  });
  const client = new WebSocket(`ws+unix:${path}:/`, { perMessageDeflate: false });
  await once(client, "open");
  let id = 0;
  return {
    roundTrip: async () => {
      id += 1;
      const answer = new Promise<Buffer>((resolve) => {
        client.once("message", (data: Buffer) => resolve(data));
      });
      client.send(
        JSON.stringify({ id, method: "fs.read", params: { path: `/tmp/${"x".repeat(120)}` } }),
      );
      Ping.parse(JSON.parse((await answer).toString("utf8")));
    },
    [Symbol.asyncDispose]: async () => {
      client.terminate();
      sockets.close();
      server.close();
      await once(server, "close");
    },
  };
}
