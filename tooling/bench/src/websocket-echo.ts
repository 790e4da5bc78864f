import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { WebSocket } from "ws";

import { Ping } from "./echo-server.ts";

const SERVER = fileURLToPath(new URL("echo-server.js", import.meta.url));

export interface Echo extends AsyncDisposable {
  /** JSON out, parsed and checked in another process, JSON back, parsed and checked here. */
  roundTrip(): Promise<void>;
}

/** The floor of a control message: ws on a unix socket between two processes, JSON and zod, nothing else. */
export async function startEcho(path: string): Promise<Echo> {
  const server = spawn(process.execPath, [SERVER, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(server.stdout, "data");
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
      const ended = once(server, "exit");
      server.kill("SIGTERM");
      await ended;
    },
  };
}
