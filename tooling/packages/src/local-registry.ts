import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import type { Manifest } from "./published-packages.ts";
import type { Tarball } from "./tarball.ts";

const TARBALLS = "/-/tarballs/";

interface Entry {
  readonly manifest: Manifest;
  /** Absent: known by name only, as a package for another platform that nobody here fetches. */
  readonly tarball?: Buffer;
}

/** A registry on loopback with a few packages: what `npm install` is tried against, without a network. */
export class LocalRegistry implements AsyncDisposable {
  readonly url: string;
  /** What was asked for and is not here. */
  readonly missed: string[] = [];
  readonly #server: Server;
  readonly #entries: Entry[] = [];

  static async start(): Promise<LocalRegistry> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new LocalRegistry(server);
  }

  private constructor(server: Server) {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("expected a port");
    this.url = `http://127.0.0.1:${address.port}`;
    this.#server = server;
    server.on("request", (request, response) => this.#answer(request, response));
  }

  async add(tarball: Tarball): Promise<void> {
    this.#entries.push({
      manifest: tarball.manifest,
      tarball: await readFile(tarball.path),
    });
  }

  /** A package for another platform. */
  addForeign(manifest: Manifest): void {
    const { os, cpu } = manifest.publishConfig ?? {};
    this.#entries.push({ manifest: { ...manifest, os, cpu } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(request.url ?? "");
    const tarball = path.startsWith(TARBALLS) ? this.#tarball(path) : undefined;
    if (tarball !== undefined) {
      response.end(tarball);
      return;
    }
    const versions = this.#entries.filter(({ manifest }) => manifest.name === path.slice(1));
    if (versions.length > 0) {
      response
        .setHeader("content-type", "application/json")
        .end(JSON.stringify(this.#about(versions)));
      return;
    }
    this.missed.push(path);
    response.writeHead(404, { "content-type": "application/json" }).end("{}");
  }

  #tarball(path: string): Buffer | undefined {
    return this.#entries.find(({ manifest }) => pathOf(manifest) === path)?.tarball;
  }

  #about(versions: readonly Entry[]): object {
    const [first] = versions;
    return {
      name: first?.manifest.name,
      "dist-tags": { latest: first?.manifest.version },
      versions: Object.fromEntries(
        versions.map(({ manifest, tarball }) => [
          manifest.version,
          {
            ...manifest,
            dist: { tarball: `${this.url}${pathOf(manifest)}`, ...integrity(tarball) },
          },
        ]),
      ),
    };
  }
}

function integrity(tarball: Buffer | undefined): object {
  if (tarball === undefined) return { shasum: "0".repeat(40) };
  return { integrity: `sha512-${createHash("sha512").update(tarball).digest("base64")}` };
}

function pathOf({ name, version }: Manifest): string {
  return `${TARBALLS}${name.replaceAll(/[@/]/g, "-")}-${version}.tgz`;
}
