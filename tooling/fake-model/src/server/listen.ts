import { once } from "node:events";
import type { Server } from "node:http";
import type { ListenOptions } from "node:net";

/** Listens, and gives the port; 0 on a unix socket. Rejects when the address can't be had. */
export async function listen(server: Server, where: ListenOptions): Promise<number> {
  server.listen(where);
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
