import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

import { AgentOs } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

useWorld();
let os: AgentOs;

/** Echoes what it is sent, says what it was asked, and pours bytes without end. */
const SERVER = `
const http = require("http");
const server = http.createServer((request, response) => {
  if (request.url === "/echo") return void request.pipe(response);
  if (request.url === "/pour") {
    const more = () => { while (response.write(Buffer.alloc(65536))) poured += 65536; poured += 65536 };
    response.on("drain", more);
    return more();
  }
  if (request.url === "/poured") return response.end(String(poured));
  if (request.url === "/cut") return request.socket.destroy();
  response.writeHead(request.url === "/none" ? 204 : 201, { "x-a": ["1", "2"], "set-cookie": ["a=1", "b=2"] });
  response.end(request.url === "/none" ? undefined : request.method + " " + request.url + " " + request.headers.host);
});
let poured = 0;
server.on("upgrade", (request, socket) => {
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: echo\\r\\nConnection: Upgrade\\r\\n\\r\\n");
  socket.on("error", () => {});
  socket.pipe(socket);
});
server.listen(3000, "127.0.0.1", () => console.log("up"));
`;

beforeAll(async () => {
  os = await AgentOs.create();
  const server = await os.spawn(["node", "-e", SERVER]);
  const reader = server.stdout.getReader();
  await reader.read();
  reader.releaseLock();
});
afterAll(() => os.dispose());

/** Bytes of every value. */
const bytesOf = (count: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: count }, (_, index) => (index * 31 + (index >> 8)) & 255);

describe("fetch", () => {
  test("[network.fetch] streams both ways, bytes as they are", async () => {
    const answer = await os.fetch(3000, "/a?b=c", { method: "PUT", body: "x" });
    expect(answer.status).toBe(201);
    expect(await answer.text()).toBe("PUT /a?b=c localhost:3000");
    expect(answer.headers.get("x-a")).toBe("1, 2");
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect((await os.fetch(3000, new URL("http://a.test/"))).statusText).toBe("Created");
    const named = await os.fetch(3000, new Request("http://a.test:8080/x"));
    expect(await named.text()).toBe("GET /x a.test:8080");
    expect((await os.fetch(3000, "/none")).body).toBeNull();
    const sent = bytesOf(3_000_000);
    const echoed = await os.fetch(3000, "/echo", { method: "POST", body: sent });
    expect(Buffer.from(await echoed.arrayBuffer()).equals(sent)).toBe(true);

    let give: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (give = controller),
    });
    const talking = os.fetch(3000, "/echo", { method: "POST", body });
    give?.enqueue(Buffer.from("first"));
    const reader = (await talking).body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("first");
    give?.enqueue(Buffer.from("second"));
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("second");
    give?.close();
    expect((await reader?.read())?.done).toBe(true);
  });

  test("[network.back-pressure] a response that nobody reads waits in the VM", async () => {
    const poured = async (): Promise<number> =>
      Number(await (await os.fetch(3000, "/poured")).text());
    const pouring = await os.fetch(3000, "/pour");
    let last = -1;
    for (let now = await poured(); now !== last; now = await poured()) {
      last = now;
      // oxlint-disable-next-line no-await-in-loop -- until it stands still
      await os.exec(["sleep", "0.2"]);
    }
    expect(last).toBeLessThan(32 * 1024 * 1024);
    await pouring.body?.cancel();
  });

  test("[network.websocket] other protocols travel over os.connect", async () => {
    const socket = await os.connect(3000);
    const asked = httpRequest({
      createConnection: () => socket,
      path: "/",
      headers: { connection: "upgrade", upgrade: "echo" },
    });
    asked.end();
    await once(asked, "upgrade");
    socket.write("over the stream");
    const [said]: unknown[] = await once(socket, "data");
    expect(String(said)).toBe("over the stream");
    socket.destroy();
    const upgraded = os.fetch(3000, "/", { headers: { connection: "upgrade", upgrade: "echo" } });
    await expect(upgraded).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  test("[network.closed-port] a port where nothing listens is PORT_CLOSED", async () => {
    const closed = { code: "PORT_CLOSED", details: { vmId: os.id, port: "3999" } };
    await expect(os.fetch(3999, "/")).rejects.toMatchObject(closed);
    await expect(os.connect(3999)).rejects.toMatchObject(closed);
    await expect(os.fetch(3000, "/cut")).rejects.toMatchObject({ code: "PORT_CLOSED" });
  });

  test("[network.bad-port] what is no port or no request is refused", async () => {
    for (const port of [0, 70_000, 1.5, Number.NaN, -1]) {
      // oxlint-disable-next-line no-await-in-loop
      await expect(os.fetch(port, "/")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      // oxlint-disable-next-line no-await-in-loop
      await expect(os.forward(port)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    for (const target of ["nothing", "https://a.test/", "http://a:b@c.test/", "file:///etc"]) {
      // oxlint-disable-next-line no-await-in-loop
      await expect(os.fetch(3000, target)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    const options = { localPort: 70_000 };
    await expect(os.forward(3000, options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const given = AbortSignal.abort();
    await expect(os.fetch(3000, "/", { signal: given })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});

describe("forward", () => {
  test("[network.forward] leads into the VM, until it is disposed", async () => {
    const forwarded = await os.forward(3000);
    expect(await (await fetch(`${forwarded.url}/there`)).text()).toBe(
      `GET /there ${forwarded.address}`,
    );
    const taken = os.forward(3000, { localPort: forwarded.localPort });
    await expect(taken).rejects.toMatchObject({ code: "PORT_IN_USE" });
    await forwarded[Symbol.asyncDispose]();
    await expect(fetch(forwarded.url)).rejects.toThrow("fetch failed");

    await using nowhere = await os.forward(3998);
    await expect(fetch(nowhere.url)).rejects.toThrow("fetch failed");

    await using speaksFirst = await os.forward(3001);
    const server = await os.spawn([
      "node",
      "-e",
      `require("net").createServer(s => { s.write("hello"); s.on("data", d => s.end(d)) }).listen(3001, () => console.log("up"))`,
    ]);
    await server.stdout.getReader().read();
    const socket = connect(speaksFirst.localPort, "127.0.0.1");
    const [hello]: unknown[] = await once(socket, "data");
    expect(String(hello)).toBe("hello");
    socket.write("EHLO there\r\n");
    expect(await text(socket)).toBe("EHLO there\r\n");
    await server.kill("SIGKILL");
  });

  test("[network.forward-host] web pages get in under loopback's names only", async () => {
    await using forwarded = await os.forward(3000);
    const ask = async (head: string): Promise<string> => {
      const socket = connect(forwarded.localPort, "127.0.0.1");
      socket.write(`${head}\r\nConnection: close\r\n\r\n`);
      return (await text(socket)).split("\r\n")[0] ?? "";
    };
    expect(await ask(`GET / HTTP/1.1\r\nHost: localhost:${forwarded.localPort}`)).toContain("201");
    expect(await ask("GET / HTTP/1.1\r\nHost: [::1]")).toContain("201");
    for (const head of [
      "GET / HTTP/1.1\r\nHost: evil.test",
      "GET / HTTP/1.1\r\nHost: 127.0.0.1.nip.io",
      "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.test",
      "GET / HTTP/1.1\r\nHost: localhost.evil",
      "GET / HTTP/1.1\r\nHost: 169.254.169.254",
      "GET / HTTP/1.1\r\nHost: 2130706433",
      "GET / HTTP/1.1\r\nHost: [::ffff:127.0.0.1]",
      "GET / HTTP/1.1\r\nHost:",
      "GET / HTTP/1.1",
    ]) {
      // oxlint-disable-next-line no-await-in-loop
      expect([head, await ask(head)]).toEqual([head, "HTTP/1.1 421 Misdirected Request"]);
    }
  });
});

test("[network.fence] a takeover cuts the connections of those it fences off", async () => {
  await using first = await AgentOs.create({ name: "fenced-network" });
  const server = await first.spawn([
    "node",
    "-e",
    `require("net").createServer(s => s.write("hello")).listen(3000, () => console.log("up"))`,
  ]);
  await server.stdout.getReader().read();
  const socket = await first.connect(3000);
  await once(socket, "data");
  const cut = once(socket, "error");
  await using second = await AgentOs.attach("fenced-network", { mode: "takeover" });
  expect(await cut).toMatchObject([{ code: "FENCED" }]);
  await expect(first.connect(3000)).rejects.toMatchObject({ code: "FENCED" });
  (await second.connect(3000)).destroy();
  await second.end();
});
