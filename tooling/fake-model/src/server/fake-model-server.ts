import { createServer, type Server } from "node:http";

import { Journal } from "../journal/journal.ts";
import { listen } from "./listen.ts";
import { RequestHandler, type HandlerOptions } from "./request-handler.ts";

/** Where and how a server answers. */
export interface FakeModelServerOptions extends HandlerOptions {
  /** On 127.0.0.1; any free one by default. `false`: on the unix socket only. */
  readonly port?: number | false | undefined;
  /** Listens on a unix socket too. */
  readonly socketPath?: string | undefined;
}

/**
 * A model server that answers by a script, on loopback: Anthropic Messages, OpenAI Responses,
 * OpenAI Chat Completions and Gemini, all on one address.
 */
export class FakeModelServer implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a version; empty when only a unix socket was asked for. */
  readonly url: string;
  readonly socketPath: string | undefined;
  readonly journal: Journal;
  readonly #servers: readonly Server[];
  readonly #visits: Set<Promise<void>>;

  private constructor(
    parts: Pick<FakeModelServer, "url" | "socketPath" | "journal"> & {
      servers: readonly Server[];
      visits: Set<Promise<void>>;
    },
  ) {
    this.url = parts.url;
    this.socketPath = parts.socketPath;
    this.journal = parts.journal;
    this.#servers = parts.servers;
    this.#visits = parts.visits;
  }

  /** Resolves when it listens. Rejects with Node's error when the address can't be had. */
  static async start(options: FakeModelServerOptions): Promise<FakeModelServer> {
    const { port = 0, socketPath } = options;
    const journal = new Journal();
    const handler = new RequestHandler(options, journal);
    const visits = new Set<Promise<void>>();
    const open = (): Server =>
      createServer((request, response) => {
        const visit = handler.handle(request, response);
        visits.add(visit);
        void visit.finally(() => visits.delete(visit));
      });
    const servers: Server[] = [];
    try {
      let url = "";
      if (port !== false) {
        const server = open();
        const bound = await listen(server, { host: "127.0.0.1", port });
        servers.push(server);
        url = `http://127.0.0.1:${bound}`;
      }
      if (socketPath !== undefined) {
        const server = open();
        await listen(server, { path: socketPath });
        servers.push(server);
      }
      return new FakeModelServer({ url, socketPath, journal, servers, visits });
    } catch (error) {
      await closeAll(servers);
      throw error;
    }
  }

  /** Closes every connection; resolves when nothing of it is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await closeAll(this.#servers);
    await Promise.all(this.#visits);
  }
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map(async (server) => {
      if (!server.listening) return;
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    }),
  );
}
