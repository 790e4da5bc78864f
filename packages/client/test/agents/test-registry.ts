import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { execa } from "execa";

interface Release {
  readonly manifest: { readonly name: string; readonly version: string };
  readonly tarball: Buffer;
}

/** A registry on loopback that has what a test puts into it. */
export class TestRegistry implements AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #folder: string;
  readonly #releases: Release[] = [];

  static async start(): Promise<TestRegistry> {
    const folder = await mkdtemp(join(tmpdir(), "agentos-registry-"));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new TestRegistry(server, folder);
  }

  private constructor(server: Server, folder: string) {
    this.#server = server;
    this.#folder = folder;
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    this.url = `http://127.0.0.1:${address.port}/`;
    server.on("request", (request, response) => {
      const path = decodeURIComponent(request.url ?? "/").slice(1);
      this.asked.push(path);
      const body = this.#answer(path);
      response.writeHead(body === undefined ? 404 : 200);
      response.end(body ?? "{}");
    });
  }

  /** Publishes a package with these files; those in `bin` folders can be executed. */
  async publish(
    manifest: Release["manifest"] & Record<string, unknown>,
    files: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const root = join(this.#folder, `${this.#releases.length}`);
    const all = { "package.json": JSON.stringify(manifest), ...files };
    for (const [name, content] of Object.entries(all)) {
      const path = join(root, "package", name);
      // oxlint-disable-next-line no-await-in-loop
      await mkdir(dirname(path), { recursive: true });
      // oxlint-disable-next-line no-await-in-loop
      await writeFile(path, content);
      // oxlint-disable-next-line no-await-in-loop
      if (name.includes("bin/")) await chmod(path, 0o755);
    }
    const path = join(root, "package.tgz");
    await execa("tar", ["-czf", path, "-C", root, "package"]);
    this.#releases.push({ manifest, tarball: await readFile(path) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #answer(path: string): string | Buffer | undefined {
    const [name = "", version] = path.split("/-/");
    const releases = this.#releases.filter(({ manifest }) => manifest.name === name);
    if (version !== undefined) {
      return releases.find(({ manifest }) => `${manifest.version}.tgz` === version)?.tarball;
    }
    if (releases.length === 0) return undefined;
    const versions = releases.map(({ manifest, tarball }) => {
      const dist = {
        tarball: `${this.url}${name}/-/${manifest.version}.tgz`,
        integrity: `sha512-${createHash("sha512").update(tarball).digest("base64")}`,
      };
      return [manifest.version, { ...manifest, dist }] as const;
    });
    return JSON.stringify({
      name,
      "dist-tags": { latest: versions.at(-1)?.[0] },
      versions: Object.fromEntries(versions),
    });
  }
}
