import { once } from "node:events";
import { createServer } from "node:http";

import { WebSocketServer } from "ws";
import * as z from "zod";

export const Ping = z.object({
  id: z.int(),
  method: z.string(),
  params: z.object({ path: z.string() }),
});

/** Answers each message with what it parsed of it. */
async function serve(path: string): Promise<void> {
  const server = createServer().listen(path);
  await once(server, "listening");
  new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
    socket.on("message", (data: Buffer) => {
      socket.send(JSON.stringify(Ping.parse(JSON.parse(data.toString("utf8")))));
    });
  });
  process.stdout.write("ready\n");
}

const path = process.argv[2];
if (import.meta.main && path !== undefined) await serve(path);
