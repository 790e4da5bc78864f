import { once } from "node:events";
import { createServer as createTlsPages } from "node:https";
import { createServer, type Server } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";

import { afterEach, describe, expect, test } from "vitest";

import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY, MADE_UP_CA } from "./made-up-ca.ts";
import { WebReader } from "./web-reader.ts";

const usual = getCACertificates("default");
afterEach(() => setDefaultCACertificates(usual));

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("read_url over TLS", () => {
  test("[session.read-url-tls] reads a page of a server that is trusted; one that is not, or is somebody else, is told", async () => {
    const options = { cert: LOOPBACK_CERTIFICATE, key: LOOPBACK_KEY };
    const asked: (string | undefined)[] = [];
    await using server = createTlsPages(options, (request, response) => {
      asked.push(request.url);
      response.end("over TLS");
    });
    const port = await portOf(server);
    await using reader = await WebReader.start([`127.0.0.1:${port}`, `localhost:${port}`]);
    const strange = await reader.read(`https://127.0.0.1:${port}/strange`);
    expect(strange).toMatchObject({ outcome: "failed", code: "HOST_UNREACHABLE" });
    expect(strange.text).toMatch(/can't be read: .*certificate/);
    setDefaultCACertificates([...usual, MADE_UP_CA]);
    const read = await reader.read(`https://127.0.0.1:${port}/known`);
    expect(read).toMatchObject({ outcome: "ok", text: "over TLS" });
    const other = await reader.read(`https://localhost:${port}/other`);
    expect(other).toMatchObject({ outcome: "failed", code: "HOST_UNREACHABLE" });
    expect(other.text).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/);
    expect(asked).toEqual(["/known"]);
  });

  test("[session.read-url-tls] a handshake that never ends is left with the turn; plain HTTP there is told", async () => {
    await using server = createServer((socket) => {
      socket.on("error", () => undefined).resume();
      if (isPlain) socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      else connected.resolve(socket);
    });
    let isPlain = true;
    const connected = Promise.withResolvers<NodeJS.EventEmitter>();
    const port = await portOf(server);
    await using reader = await WebReader.start([`127.0.0.1:${port}`]);
    const plain = await reader.read(`https://127.0.0.1:${port}/`);
    expect(plain).toMatchObject({ outcome: "failed", code: "HOST_UNREACHABLE" });
    expect(plain.text).toMatch(/ERR_SSL_WRONG_VERSION_NUMBER: wrong version number$/);
    isPlain = false;
    const { turnId } = await reader.session.send(`https://127.0.0.1:${port}/`);
    const closed = once(await connected.promise, "close");
    await reader.session.client.peer.request("session.cancel", reader.session.ref);
    await closed;
    await expect(reader.session.result(turnId)).resolves.toMatchObject({
      stopReason: "cancelled",
    });
  });
});
