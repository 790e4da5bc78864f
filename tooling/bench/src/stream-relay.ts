import { once } from "node:events";
import { createServer } from "node:http";

import { type WebSocket, WebSocketServer } from "ws";

/** Passes on what a model answers, byte for byte: each message names the model's address and a key. */
async function serve(path: string): Promise<void> {
  const server = createServer().listen(path);
  await once(server, "listening");
  new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
    socket.on("message", (data: Buffer) => void relay(socket, data.toString("utf8").split(" ")));
  });
  process.stdout.write("ready\n");
  process.stdin.resume().once("end", () => process.exit());
}

async function relay(socket: WebSocket, [url = "", key = ""]: readonly string[]): Promise<void> {
  const headers = { authorization: `Bearer ${key}` };
  const response = await fetch(url, { method: "POST", body: "{}", headers });
  for await (const bytes of response.body ?? []) socket.send(bytes);
  socket.send("end");
}

await serve(process.argv[2] ?? "");
