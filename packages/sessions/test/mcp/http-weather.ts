import { createServer, type Server } from "node:http";

import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

import { weatherServer } from "./weather-server.ts";

/** The weather over streamable HTTP on loopback, a server for each request, as stateless ones do it. */
export class HttpWeather implements AsyncDisposable {
  readonly headers: (string | undefined)[] = [];
  readonly #server: Server;
  url = "";

  private constructor() {
    this.#server = createServer((request, response) => {
      this.headers.push(request.headers["x-token"]?.toString());
      if (request.method !== "POST") {
        response.writeHead(405).end();
        return;
      }
      void (async () => {
        const transport = new StreamableHTTPServerTransport({});
        await weatherServer().connect(transport);
        await transport.handleRequest(request, response);
      })();
    });
  }

  static async start(): Promise<HttpWeather> {
    const weather = new HttpWeather();
    const { promise, resolve } = Promise.withResolvers<void>();
    weather.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    const address = weather.#server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    weather.url = `http://127.0.0.1:${port}/mcp`;
    return weather;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }
}
