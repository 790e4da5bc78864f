import { METHODS, type ListenAddress } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { BOUNDS } from "../../src/bounds.ts";
import { CLIENT, TestSidecar } from "../sidecar-harness.ts";
import { http, openClient, openRaw, openSocket, raw, textOf } from "../websocket-client.ts";
import { paramsOf } from "./method-params.ts";

const TCP: ListenAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };
const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "x".repeat(22) + "==",
};
const PATHS = [
  "/",
  "/health",
  "/healthz",
  "/metrics",
  "/openapi.json",
  "/events",
  "/v1/vms",
  "/sse",
  "/../etc/passwd",
  "/favicon.ico",
  "*",
];
const METHODS_OF_HTTP = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

describe.each(["unix", "tcp"] as const)("the control plane over %s", (kind) => {
  const start = (): Promise<TestSidecar> =>
    TestSidecar.start(kind === "tcp" ? { listen: TCP } : {});

  test("[S1] every route and method is 401 without a token, the WebSocket included", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    const host = { host: "localhost" };
    for (const path of PATHS) {
      for (const method of METHODS_OF_HTTP) {
        // oxlint-disable-next-line no-await-in-loop -- A few hundred at once would meet the connection bound.
        const answer = await http(listen, { path, method, headers: host });
        expect([method, path, answer.status]).toEqual([method, path, 401]);
        expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
      }
      // oxlint-disable-next-line no-await-in-loop -- As above.
      expect((await http(listen, { path, headers: { ...host, ...UPGRADE } })).status).toBe(401);
    }
    const known = await http(listen, {
      path: "/anything",
      headers: { ...host, authorization: `Bearer ${apiKey}` },
    });
    expect(known.status).toBe(404);
    await expect(openSocket(listen)).rejects.toThrow("401");
  });

  test("[S1] with a valid connection every method still needs authenticate first", async () => {
    await using world = await start();
    for (const method of Object.keys(METHODS)) {
      // The last is asked of clients.
      if (["authenticate", "ping", "callback.call"].includes(method)) continue;
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const socket = await openSocket(world.ready.listen, { apiKey: world.ready.apiKey });
      const answered = new Promise<string>((resolve) =>
        socket.once("message", (data) => resolve(textOf(data))),
      );
      socket.send(JSON.stringify({ type: "request", id: 1, method, params: paramsOf(method) }));
      // oxlint-disable-next-line no-await-in-loop -- As above.
      expect([method, JSON.parse(await answered)]).toMatchObject([
        method,
        { type: "failure", error: { code: "UNAUTHENTICATED" } },
      ]);
      socket.terminate();
    }
  });

  test("[S2] [bad.key] [session.case-87] wrong, malformed, doubled and revoked tokens are refused", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    for (const wrong of ["x", `${apiKey}x`, apiKey.slice(1), "", "é".repeat(20)].map((text) =>
      encodeURIComponent(text),
    )) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await expect(openSocket(listen, { apiKey: wrong })).rejects.toThrow("401");
    }
    for (const authorization of [`Basic ${apiKey}`, apiKey, `Bearer ${apiKey}, Bearer ${apiKey}`]) {
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(openSocket(listen, { headers: { authorization } })).rejects.toThrow("401");
    }
    const twice = await http(listen, {
      headers: { host: "localhost", authorization: [`Bearer ${apiKey}`, `Bearer ${apiKey}`] },
    });
    expect(twice.status).toBe(401);
    await using owner = await openClient(listen, apiKey);
    const { keyId, apiKey: second } = await owner.peer.request("key.create", {});
    (await openSocket(listen, { apiKey: second })).terminate();
    await owner.peer.request("key.revoke", { keyId });
    await expect(openSocket(listen, { apiKey: second })).rejects.toThrow("401");
  });

  test("[S2] revoking a key closes its open connection and ends what it does; a key past its time, too", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    await using owner = await openClient(listen, apiKey);
    const { keyId, apiKey: second } = await owner.peer.request("key.create", { user: "alice" });
    const alice = await openClient(listen, second);
    const { lease } = await alice.create();
    const running = alice.exec(lease, ["sleep"]);
    await owner.peer.request("sidecar.info", {});
    // A user may revoke its own keys only.
    await expect(owner.peer.request("key.revoke", { keyId })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(alice.peer.request("key.revoke", { keyId })).resolves.toEqual({});
    await alice.peer.closed;
    await expect(running.exit).rejects.toMatchObject({
      code: expect.stringMatching(/CONNECTION_LOST|UNAUTHENTICATED/),
    });
    const short = await owner.peer.request("key.create", { user: "bob", ttlMs: 1_000 });
    const bob = await openClient(listen, short.apiKey);
    world.clock.advance(1_000);
    await bob.peer.closed;
    await expect(openSocket(listen, { apiKey: short.apiKey })).rejects.toThrow("401");
  });

  test("[S3] any Host but this sidecar's own is 421, also doubled, empty and missing ones, and before the token", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    const authorization = `Bearer ${apiKey}`;
    const wrong = [
      "evil.test",
      "127.0.0.1.nip.io",
      "localhost.evil.test",
      "",
      "0.0.0.0",
      "2130706433",
      "[::ffff:127.0.0.1]",
      "localhost:1",
    ];
    for (const host of wrong) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const answer = await http(listen, { headers: { host, authorization } });
      expect([host, answer.status]).toEqual([host, 421]);
      // ws itself puts its own in the place of an empty one.
      if (host === "") continue;
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(openSocket(listen, { apiKey, headers: { host } })).rejects.toThrow("421");
    }
    const auth = `Authorization: ${authorization}\r\n`;
    for (const hosts of [
      "Host: localhost\r\nHost: localhost\r\n",
      "Host: localhost\r\nHost: evil.test\r\n",
      "",
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- As above.
      expect(await raw(listen, `GET / HTTP/1.1\r\n${hosts}${auth}\r\n`)).toMatch(
        /^HTTP\/1\.1 421 /,
      );
    }
    expect(
      await raw(listen, `GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n${auth}\r\n`),
    ).toMatch(/^HTTP\/1\.1 421 /);
  });

  test("[S4] no Origin, a foreign one, null: nothing passes without a token; none takes the place of one", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    for (const origin of [
      "https://evil.test",
      "null",
      "http://localhost.evil",
      "http://localhost",
      undefined,
    ]) {
      const sent = origin === undefined ? {} : { origin };
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await expect(openSocket(listen, sent)).rejects.toThrow("401");
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(openSocket(listen, { ...sent, apiKey: "A".repeat(43) })).rejects.toThrow("401");
      // oxlint-disable-next-line no-await-in-loop -- As above.
      (await openSocket(listen, { ...sent, apiKey })).terminate();
    }
  });

  test("[S5] no answer ever carries a CORS header, preflights included", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    const headers = {
      host: "localhost",
      origin: "https://evil.test",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization",
    };
    for (const authorization of [{}, { authorization: `Bearer ${apiKey}` }]) {
      for (const method of ["OPTIONS", "GET"]) {
        // oxlint-disable-next-line no-await-in-loop -- One after the other.
        const answer = await http(listen, { method, headers: { ...headers, ...authorization } });
        expect(
          Object.keys(answer.headers).filter((name) => name.startsWith("access-control")),
        ).toEqual([]);
        expect(answer.body).not.toContain("evil.test");
      }
    }
  });

  test("[S6] a token in the address opens nothing, and an address with a query is refused even with a valid one", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    for (const path of [
      `/?token=${apiKey}`,
      `/?access_token=${apiKey}`,
      `/?authorization=Bearer%20${apiKey}`,
      `/${apiKey}`,
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await expect(openSocket(listen, { path })).rejects.toThrow("401");
    }
    await expect(openSocket(listen, { path: "/?x=1", apiKey })).rejects.toThrow("400");
    expect(JSON.stringify(world.log.lines)).not.toContain(apiKey);
  });

  test("[S9] headers that claim a user, a tenant or a directory change nothing", async () => {
    await using world = await start();
    const { listen } = world.ready;
    const alice = await world.keyOf("alice");
    const headers = {
      "x-agentos-user": "owner",
      "x-user": "owner",
      "x-tenant": "owner",
      "x-scope": "admin",
      "x-cwd": "/",
      cookie: "user=owner",
    };
    const socket = await openSocket(listen, { apiKey: alice, headers });
    const answers: string[] = [];
    socket.on("message", (data) => answers.push(textOf(data)));
    const ask = (id: number, method: string, params: unknown): void =>
      socket.send(JSON.stringify({ type: "request", id, method, params, user: "owner" }));
    ask(1, "authenticate", {
      protocol: { min: 1, max: 1 },
      client: CLIENT,
      user: "owner",
      scope: "admin",
    });
    ask(2, "sidecar.shutdown", { user: "owner" });
    ask(3, "key.create", { user: "owner" });
    await expect.poll(() => answers.length).toBe(3);
    const failures = answers
      .map((answer) => JSON.parse(answer))
      .filter(({ type }) => type === "failure");
    expect(failures).toMatchObject([
      { id: 2, error: { code: "FORBIDDEN" } },
      { id: 3, error: { code: "FORBIDDEN" } },
    ]);
    socket.terminate();
  });

  test("[S11] an oversized message ends that connection only", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    await using neighbour = await openClient(listen, apiKey);
    for (const payload of ["x".repeat(1024 * 1024 + 1), Buffer.alloc(1024 * 1024 + 1)]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const socket = await openSocket(listen, { apiKey });
      const closed = new Promise<number>((resolve) => socket.once("close", resolve));
      socket.send(payload);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      expect(await closed).toBe(1009);
    }
    await expect(neighbour.peer.request("ping", {})).resolves.toEqual({});
  });

  test("[S11] messages that are no JSON, no envelope, deeply nested, or no whole frame end that connection only", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    await using neighbour = await openClient(listen, apiKey);
    const deep = `{"type":"request","id":1,"method":"ping","params":${"[".repeat(400_000)}${"]".repeat(400_000)}}`;
    const bad = [
      "{",
      "null",
      "[]",
      '{"type":"nope"}',
      '{"type":"request","id":-1,"method":"ping","params":{}}',
      Buffer.alloc(3),
      Buffer.alloc(40, 255),
    ];
    for (const payload of bad) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const socket = await openSocket(listen, { apiKey });
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.send(payload);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await closed;
    }
    const socket = await openSocket(listen, { apiKey });
    const answered = new Promise((resolve) =>
      socket
        .once("message", (data) => resolve(textOf(data)))
        .once("close", () => resolve("closed")),
    );
    socket.send(deep);
    await answered;
    socket.terminate();
    await expect(neighbour.peer.request("ping", {})).resolves.toEqual({});
  });

  test("[S11] a flood of fragments ends that connection only", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    await using neighbour = await openClient(listen, apiKey);
    const socket = await openSocket(listen, { apiKey });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    for (let count = 0; count <= BOUNDS.fragments; count += 1) socket.send("x", { fin: false });
    await closed;
    await expect(neighbour.peer.request("ping", {})).resolves.toEqual({});
  });

  test("[S11] headers that are too large are refused", async () => {
    await using world = await start();
    const { listen } = world.ready;
    const large = await raw(
      listen,
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(2 * BOUNDS.httpHeaderBytes)}\r\n\r\n`,
    );
    expect(large).toMatch(/^HTTP\/1\.1 431 /);
  });

  test("[S11] a body of any size is not read: the answer comes without it", async () => {
    await using world = await start();
    const answer = await raw(
      world.ready.listen,
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\nx",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  test("[S11] a connection that never authenticates is closed", async () => {
    await using world = await start();
    const socket = await openSocket(world.ready.listen, { apiKey: world.ready.apiKey });
    const closed = new Promise<string>((resolve) =>
      socket.once("close", (_code, text) => resolve(String(text))),
    );
    world.clock.advance(BOUNDS.authenticateMs);
    expect(await closed).toBe("UNAUTHENTICATED");
  });

  test("[S13] nothing is proxied: absolute addresses and CONNECT reach no one", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    const auth = `Authorization: Bearer ${apiKey}\r\n`;
    for (const target of [
      "http://169.254.169.254/latest",
      "http://[::ffff:127.0.0.1]/",
      "http://2130706433/",
      "//evil.test/",
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      expect(await raw(listen, `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${auth}\r\n`)).toMatch(
        /^HTTP\/1\.1 404 /,
      );
    }
    const tunnel = await raw(
      listen,
      `CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: localhost\r\n${auth}\r\n`,
    );
    expect(tunnel).not.toContain(" 200 ");
  });
});

describe("the control plane", () => {
  test("[S11] headers that are too slow are cut off, and others are served meanwhile", async () => {
    await using world = await TestSidecar.start();
    const { listen, apiKey } = world.ready;
    const slow = Array.from({ length: 50 }, () => openRaw(listen));
    const closed = slow.map((socket) => {
      socket.on("error", () => undefined);
      socket.resume();
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
      return new Promise((resolve) => socket.once("close", resolve));
    });
    await using neighbour = await openClient(listen, apiKey);
    await expect(neighbour.peer.request("ping", {})).resolves.toEqual({});
    await Promise.all(closed);
  });
});
