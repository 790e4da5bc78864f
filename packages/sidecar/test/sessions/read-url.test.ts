import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";

import { FakeDriver } from "@agentos/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { sessionEgress } from "../../src/egress/session-egress.ts";
import { VmEgress } from "../../src/egress/vm-egress.ts";
import { WebReader } from "./web-reader.ts";

type Page = (request: IncomingMessage, response: ServerResponse) => void;

let pages: Record<string, Page>;
let asked: string[];
let server: Server;
let port: number;

beforeEach(async () => {
  asked = [];
  pages = {};
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const page = pages[request.url ?? ""];
    if (page === undefined) response.writeHead(404).end("nothing here");
    else page(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const page =
  (type: string, body: string | Buffer, headers: Record<string, string> = {}): Page =>
  (_request, response) =>
    response.writeHead(200, { "content-type": type, ...headers }).end(body);

const to =
  (location: string): Page =>
  (_request, response) =>
    response.writeHead(302, { location }).end();

const here = (path = ""): string => `http://127.0.0.1:${port}${path}`;
const named = (): string[] => [`127.0.0.1:${port}`];

describe("read_url", () => {
  test("[session.read-url] reads a page as text, decompressed, in its charset; plain text and images as they are", async () => {
    await using reader = await WebReader.start(named());
    const html = "<title>T</title><h1>Grüße</h1><p>a <a href=/b>link</a></p><script>no()</script>";
    pages["/html"] = page("text/html; charset=iso-8859-1", Buffer.from(html, "latin1"));
    pages["/zip"] = page("text/html", gzipSync(html), { "content-encoding": "gzip" });
    pages["/json"] = page("application/json", '{"a":[1]}');
    pages["/png"] = page("image/png", Buffer.from("not really"));
    pages["/bin"] = page("application/octet-stream", "\0\0");
    const text = `T\n\n# Grüße\n\na link (${here("/b")})`;
    expect(await reader.read(here("/html"))).toMatchObject({ outcome: "ok", text });
    expect(await reader.read(here("/zip"))).toMatchObject({ outcome: "ok", text });
    expect(await reader.read(here("/json"))).toMatchObject({ outcome: "ok", text: '{"a":[1]}' });
    expect((await reader.read(here("/png"))).content).toEqual([
      { type: "image", mediaType: "image/png", data: Buffer.from("not really").toString("base64") },
    ]);
    expect((await reader.read(here("/bin"))).text).toContain("which is no text");
    const missing = await reader.read(here("/none"));
    expect(missing).toMatchObject({ outcome: "failed" });
    expect(missing.text).toBe("(HTTP status 404)\nnothing here");
  });

  test("[session.read-url-redirect] each redirect goes through the VM's policy again, and there is an end to them", async () => {
    await using reader = await WebReader.start(named());
    pages["/a"] = to("/b");
    pages["/b"] = page("text/plain", "arrived");
    pages["/out"] = to(`http://127.0.0.2:${port}/secret`);
    pages["/meta"] = to("http://169.254.169.254/latest");
    pages["/file"] = to("file:///etc/passwd");
    pages["/loop"] = to("/loop");
    expect((await reader.read(here("/a"))).text).toBe(`(redirected to ${here("/b")})\narrived`);
    for (const path of ["/out", "/meta"]) {
      // oxlint-disable-next-line no-await-in-loop -- One turn after the other.
      const result = await reader.read(here(path));
      expect(result).toMatchObject({ outcome: "denied", code: "NETWORK_REFUSED" });
    }
    expect(await reader.read(here("/file"))).toMatchObject({
      outcome: "failed",
      code: "INVALID_ARGUMENT",
    });
    expect(await reader.read(here("/loop"))).toMatchObject({
      outcome: "failed",
      code: "HOST_UNREACHABLE",
    });
    expect(asked.filter((path) => path === "/loop").length).toBe(11);
    expect(asked).not.toContain("/secret");
  });

  test("[session.read-url-refused] the VM's network decides before anybody is asked, and in so many words", async () => {
    await using reader = await WebReader.start([`other.test:${port}`], { asks: "wait" });
    const refused = await reader.read(here("/"));
    expect(refused).toMatchObject({ outcome: "denied", code: "NETWORK_REFUSED" });
    expect(refused.text).toContain("the policy does not name this address and port");
    for (const url of ["ftp://127.0.0.1/", "http://user:pw@127.0.0.1/", "no url", "/etc/passwd"]) {
      // oxlint-disable-next-line no-await-in-loop -- One turn after the other.
      const result = await reader.read(url);
      expect(result).toMatchObject({ outcome: "failed", code: "INVALID_ARGUMENT" });
    }
    const { events } = await reader.session.events();
    expect(events.filter(({ type }) => type === "request")).toEqual([]);
    expect(asked).toEqual([]);
  });

  test("[session.case-54] reading the web crosses the border: asked for by default, denied with nobody to ask", async () => {
    pages["/"] = page("text/plain", "hello");
    await using alone = await WebReader.start(named(), {});
    const denied = await alone.read(here("/"));
    expect(denied).toMatchObject({ outcome: "denied" });
    expect(denied.text).toContain("nobody is there to be asked");
    expect(asked).toEqual([]);
    await using watched = await WebReader.start(named(), { asks: "wait" });
    const { turnId } = await watched.session.send(here("/"));
    const event = await watched.session.find(({ type }) => type === "request");
    const requestId = event.type === "request" ? event.request.requestId : "";
    const answer = { kind: "permission", decision: "allow" } as const;
    const { client } = watched.session;
    await client.peer.request("session.respond", { ...watched.session.ref, requestId, answer });
    await watched.session.result(turnId);
    expect(watched.result).toMatchObject({ outcome: "ok", content: [{ text: "hello" }] });
  });

  test("[session.read-url-bounds] a page without end is read to its bound; one that breaks off, hangs or is cancelled says so", async () => {
    await using reader = await WebReader.start(named());
    pages["/endless"] = (_request, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", more);
      more();
    };
    pages["/broken"] = (_request, response) => {
      response.writeHead(200, { "content-type": "text/html", "content-length": "100" });
      response.write("<p>half", () => response.destroy());
    };
    pages["/bomb"] = page("text/html", "no gzip", { "content-encoding": "gzip" });
    pages["/hang"] = () => undefined;
    const endless = await reader.read(here("/endless"));
    expect(endless).toMatchObject({ outcome: "ok", truncated: true });
    expect(endless.text).toMatch(/^\(the rest of it was not read\)\nxxx/);
    for (const path of ["/broken", "/bomb"]) {
      // oxlint-disable-next-line no-await-in-loop -- One turn after the other.
      const result = await reader.read(here(path));
      expect(result).toMatchObject({ outcome: "failed", code: "HOST_UNREACHABLE" });
    }
    const late = await reader.session.send(here("/hang"));
    await expect.poll(() => asked.at(-1)).toBe("/hang");
    reader.world.world.clock.advance(30_000);
    await reader.session.result(late.turnId);
    expect(reader.result).toMatchObject({ outcome: "failed", code: "DEADLINE_EXCEEDED" });
    const { turnId } = await reader.session.send(here("/hang?2"));
    pages["/hang?2"] = () => undefined;
    await reader.session.find(({ type, turnId: of }) => type === "tool_call" && of === turnId);
    const { client, ref } = reader.session;
    await client.peer.request("session.cancel", ref);
    await expect(reader.session.result(turnId)).resolves.toMatchObject({ stopReason: "cancelled" });
  });

  test("[session.read-url-unsupported] a driver without a network says so", async () => {
    const { isolation } = await new FakeDriver().create(
      {
        vmId: "vm",
        image: "host",
        mounts: [],
        limits: {},
        requiredLimits: [],
        security: "standard",
        network: { egress: "none" },
      },
      { signal: new AbortController().signal },
    );
    const egress = sessionEgress(new VmEgress(), { isolation, network: undefined });
    expect(() => egress.assertAllowed("example.com", 443)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED" }),
    );
  });
});
