import { spawn } from "node:child_process";
import { chmod, lstat, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOsError, METHODS, type ListenAddress } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { BOUNDS } from "../../src/bounds.ts";
import { Sidecar } from "../../src/sidecar.ts";
import { CLIENT, RecordingLog, TestSidecar } from "../sidecar-harness.ts";
import { http, openClient, openRaw, openSocket, raw } from "../websocket-client.ts";

const TCP: ListenAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };
const UPGRADE = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "x".repeat(22) + "==" };
const PATHS = ["/", "/health", "/healthz", "/metrics", "/openapi.json", "/events", "/v1/vms", "/sse", "/../etc/passwd", "/favicon.ico", "*"];
const METHODS_OF_HTTP = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

async function startTcp() {
  const world = await TestSidecar.start({ listen: TCP });
  const { listen, apiKey } = world.ready;
  return { world, listen, apiKey, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => undefined,
    (error: unknown) => (error instanceof AgentOsError ? { ...error, message: error.message } : error),
  );
}

describe.each(["unix", "tcp"] as const)("the control plane over %s", (kind) => {
  const start = (): Promise<TestSidecar> => TestSidecar.start(kind === "tcp" ? { listen: TCP } : {});

  test("S1: every route and method is 401 without a token, the WebSocket included", async () => {
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
    const known = await http(listen, { path: "/anything", headers: { ...host, authorization: `Bearer ${apiKey}` } });
    expect(known.status).toBe(404);
    await expect(openSocket(listen)).rejects.toThrow("401");
  });

  test("S1: with a valid connection every method still needs authenticate first", async () => {
    await using world = await start();
    await using client = world.connectRaw();
    for (const method of Object.keys(METHODS)) {
      if (method === "authenticate" || method === "ping") continue;
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const socket = await openSocket(world.ready.listen, { apiKey: world.ready.apiKey });
      const answered = new Promise<string>((resolve) => socket.once("message", (data) => resolve(String(data))));
      socket.send(JSON.stringify({ type: "request", id: 1, method, params: PARAMS[method] ?? {} }));
      // oxlint-disable-next-line no-await-in-loop -- As above.
      expect([method, JSON.parse(await answered)]).toMatchObject([method, { type: "failure", error: { code: "UNAUTHENTICATED" } }]);
      socket.terminate();
    }
  });

  test("S2: wrong, malformed, doubled and revoked tokens are refused", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    for (const wrong of ["x", `${apiKey}x`, apiKey.slice(1), "", "é".repeat(20)].map((text) => encodeURIComponent(text))) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await expect(openSocket(listen, { apiKey: wrong })).rejects.toThrow("401");
    }
    for (const authorization of [`Basic ${apiKey}`, apiKey, `Bearer ${apiKey}, Bearer ${apiKey}`]) {
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(openSocket(listen, { headers: { authorization } })).rejects.toThrow("401");
    }
    const twice = await http(listen, { headers: { host: "localhost", authorization: [`Bearer ${apiKey}`, `Bearer ${apiKey}`] } });
    expect(twice.status).toBe(401);
    await using owner = await openClient(listen, apiKey);
    const { keyId, apiKey: second } = await owner.peer.request("key.create", {});
    (await openSocket(listen, { apiKey: second })).terminate();
    await owner.peer.request("key.revoke", { keyId });
    await expect(openSocket(listen, { apiKey: second })).rejects.toThrow("401");
  });

  test("S2: revoking a key closes its open connection and ends what it does; a key past its time, too", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    await using owner = await openClient(listen, apiKey);
    const { keyId, apiKey: second } = await owner.peer.request("key.create", { user: "alice" });
    const alice = await openClient(listen, second);
    const { lease } = await alice.create();
    const running = alice.exec(lease, ["sleep"]);
    await owner.peer.request("sidecar.info", {});
    // A user may revoke its own keys only.
    await expect(owner.peer.request("key.revoke", { keyId })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(alice.peer.request("key.revoke", { keyId })).resolves.toEqual({});
    await alice.peer.closed;
    await expect(running.exit).rejects.toMatchObject({ code: expect.stringMatching(/CONNECTION_LOST|UNAUTHENTICATED/) });
    const short = await owner.peer.request("key.create", { user: "bob", ttlMs: 1_000 });
    const bob = await openClient(listen, short.apiKey);
    world.clock.advance(1_000);
    await bob.peer.closed;
    await expect(openSocket(listen, { apiKey: short.apiKey })).rejects.toThrow("401");
  });

  test("S3: any Host but this sidecar's own is 421, also doubled, empty and missing ones, and before the token", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    const authorization = `Bearer ${apiKey}`;
    const wrong = ["evil.test", "127.0.0.1.nip.io", "localhost.evil.test", "", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]", "localhost:1"];
    for (const host of wrong) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const answer = await http(listen, { headers: { host, authorization } });
      expect([host, answer.status]).toEqual([host, 421]);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(openSocket(listen, { apiKey, headers: { host } })).rejects.toThrow("421");
    }
    const auth = `Authorization: ${authorization}\r\n`;
    for (const hosts of ["Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\nHost: evil.test\r\n", ""]) {
      // oxlint-disable-next-line no-await-in-loop -- As above.
      expect(await raw(listen, `GET / HTTP/1.1\r\n${hosts}${auth}\r\n`)).toMatch(/^HTTP\/1\.1 421 /);
    }
    expect(await raw(listen, `GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n${auth}\r\n`)).toMatch(/^HTTP\/1\.1 421 /);
  });

  test("S4: no Origin, a foreign one, null: nothing passes without a token; none takes the place of one", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    for (const origin of ["https://evil.test", "null", "http://localhost.evil", "http://localhost", undefined]) {
      const sent = origin === undefined ? {} : { origin };
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await expect(openSocket(listen, sent)).rejects.toThrow("401");
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(openSocket(listen, { ...sent, apiKey: "A".repeat(43) })).rejects.toThrow("401");
      // oxlint-disable-next-line no-await-in-loop -- As above.
      (await openSocket(listen, { ...sent, apiKey })).terminate();
    }
  });

  test("S5: no answer ever carries a CORS header, preflights included", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    const headers = { host: "localhost", origin: "https://evil.test", "access-control-request-method": "POST", "access-control-request-headers": "authorization" };
    for (const authorization of [{}, { authorization: `Bearer ${apiKey}` }]) {
      for (const method of ["OPTIONS", "GET"]) {
        // oxlint-disable-next-line no-await-in-loop -- One after the other.
        const answer = await http(listen, { method, headers: { ...headers, ...authorization } });
        expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
        expect(answer.body).not.toContain("evil.test");
      }
    }
  });

  test("S6: a token in the address opens nothing, and an address with a query is refused even with a valid one", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    for (const path of [`/?token=${apiKey}`, `/?access_token=${apiKey}`, `/?authorization=Bearer%20${apiKey}`, `/${apiKey}`]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await expect(openSocket(listen, { path })).rejects.toThrow("401");
    }
    await expect(openSocket(listen, { path: "/?x=1", apiKey })).rejects.toThrow("400");
    expect(JSON.stringify(world.log.lines)).not.toContain(apiKey);
  });

  test("S9: headers that claim a user, a tenant or a directory change nothing", async () => {
    await using world = await start();
    const { listen } = world.ready;
    const alice = await world.keyOf("alice");
    const headers = { "x-agentos-user": "owner", "x-user": "owner", "x-tenant": "owner", "x-scope": "admin", "x-cwd": "/", cookie: "user=owner" };
    const socket = await openSocket(listen, { apiKey: alice, headers });
    const answers: string[] = [];
    socket.on("message", (data) => answers.push(String(data)));
    const ask = (id: number, method: string, params: unknown): void => socket.send(JSON.stringify({ type: "request", id, method, params, user: "owner" }));
    ask(1, "authenticate", { protocol: { min: 1, max: 1 }, client: CLIENT, user: "owner", scope: "admin" });
    ask(2, "sidecar.shutdown", { user: "owner" });
    ask(3, "key.create", { user: "owner" });
    await expect.poll(() => answers.length).toBe(3);
    const failures = answers.map((answer) => JSON.parse(answer)).filter(({ type }) => type === "failure");
    expect(failures).toMatchObject([
      { id: 2, error: { code: "UNAUTHENTICATED" } },
      { id: 3, error: { code: "UNAUTHENTICATED" } },
    ]);
    socket.terminate();
  });

  test("S11: an oversized message ends that connection only", async () => {
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

  test("S11: messages that are no JSON, no envelope, deeply nested, or no whole frame end that connection only", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    await using neighbour = await openClient(listen, apiKey);
    const deep = `{"type":"request","id":1,"method":"ping","params":${"[".repeat(400_000)}${"]".repeat(400_000)}}`;
    const bad = ["{", "null", "[]", '{"type":"nope"}', '{"type":"request","id":-1,"method":"ping","params":{}}', Buffer.alloc(3), Buffer.alloc(40, 255)];
    for (const payload of bad) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const socket = await openSocket(listen, { apiKey });
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.send(payload);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await closed;
    }
    const socket = await openSocket(listen, { apiKey });
    const answered = new Promise((resolve) => socket.once("message", (data) => resolve(String(data))).once("close", () => resolve("closed")));
    socket.send(deep);
    await answered;
    socket.terminate();
    await expect(neighbour.peer.request("ping", {})).resolves.toEqual({});
  });

  test("S11: a flood of fragments ends that connection only", async () => {
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

  test("S11: headers that are too large, or too slow, are cut off, and others are served meanwhile", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    const large = await raw(listen, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(2 * BOUNDS.httpHeaderBytes)}\r\n\r\n`);
    expect(large).toMatch(/^HTTP\/1\.1 431 /);
    const slow = Array.from({ length: 50 }, () => openRaw(listen));
    const closed = slow.map((socket) => {
      socket.on("error", () => undefined);
      socket.resume();
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
      return new Promise((resolve) => socket.once("close", resolve));
    });
    await using neighbour = await openClient(listen, apiKey);
    await neighbour.peer.request("ping", {});
    await Promise.all(closed);
  });

  test("S11: a body of any size is not read: the answer comes without it", async () => {
    await using world = await start();
    const answer = await raw(world.ready.listen, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\nx");
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  test("S11: a connection that never authenticates is closed", async () => {
    await using world = await start();
    const socket = await openSocket(world.ready.listen, { apiKey: world.ready.apiKey });
    const reason = await new Promise<string>((resolve) => socket.once("close", (_code, text) => resolve(String(text))));
    expect(reason).toBe("UNAUTHENTICATED");
  });

  test("S13: nothing is proxied: absolute addresses and CONNECT reach no one", async () => {
    await using world = await start();
    const { listen, apiKey } = world.ready;
    const auth = `Authorization: Bearer ${apiKey}\r\n`;
    for (const target of ["http://169.254.169.254/latest", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "//evil.test/"]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      expect(await raw(listen, `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${auth}\r\n`)).toMatch(/^HTTP\/1\.1 404 /);
    }
    const tunnel = await raw(listen, `CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: localhost\r\n${auth}\r\n`);
    expect(tunnel).not.toContain(" 200 ");
  });
});

/** Params that parse, for methods whose do not parse empty. */
const scope = { vmId: "v", fence: 1 };
const PARAMS: Record<string, unknown> = { ...Object.fromEntries(Object.keys(METHODS).map((method) => [method, scope])) };
Object.assign(PARAMS, {
  "sidecar.keep": { keep: true },
  "key.revoke": { keyId: "k" },
  "vm.create": { vmId: "v", leaseId: "l" },
  "vm.attach": { vm: "v", leaseId: "l", mode: "shared" },
  "lease.release": { leaseId: "l", vmId: "v" },
  "lease.resume": { ...scope, leaseId: "l" },
  "stream.close": { ...scope, stream: 1 },
  "fs.rename": { ...scope, from: "/a", to: "/b" },
  "fs.copy": { ...scope, from: "/a", to: "/b" },
});
for (const method of Object.keys(METHODS)) {
  if (method.startsWith("process.")) {
    PARAMS[method] = { ...scope, processId: "p", argv: ["true"], stream: 1, signal: "SIGTERM" };
  }
  if (method.startsWith("fs.") && PARAMS[method] === scope) {
    PARAMS[method] = { ...scope, path: "/a", stream: 1, mode: 0o600, length: 1, content: "b" };
  }
}

describe("the control plane", () => {
  test("S7: socket, discovery file and directories are the user's alone", async () => {
    await using world = await TestSidecar.start({ pool: "default" });
    const mode = async (path: string): Promise<string> => ((await lstat(path)).mode & 0o777).toString(8);
    const run = join(world.directory, "run");
    const { listen } = world.ready;
    if (listen.kind !== "unix") throw new Error("expected a unix socket by default");
    expect(await mode(listen.path)).toBe("600");
    expect(await mode(join(run, "sidecar.json"))).toBe("600");
    expect(await mode(run)).toBe("700");
    expect(await mode(join(world.directory, "state"))).toBe("700");
  });

  test.skipIf(process.getuid?.() !== 0)("S7: another uid cannot connect, by the directory nor by the socket itself", async () => {
    await using world = await TestSidecar.start();
    const { listen } = world.ready;
    if (listen.kind !== "unix") throw new Error("expected a unix socket by default");
    const attempt = (): Promise<string> => connectAs(65_534, listen.path);
    expect(await attempt()).toBe("EACCES");
    // With every directory open it is the socket's own mode that refuses.
    await chmod(world.directory, 0o755);
    await chmod(join(world.directory, "run"), 0o755);
    expect(await attempt()).toBe("EACCES");
    await chmod(listen.path, 0o666);
    expect(await attempt()).toBe("connected");
  });

  test("S7: directories that others may enter, or that are none, are refused", async () => {
    const directory = await mkdtemp(join(tmpdir(), "sc-"));
    const attempt = (runtimeDirectory: string): Promise<unknown> =>
      codeOf(Sidecar.start({ sidecarId: "s", stateDirectory: join(directory, "state"), runtimeDirectory, drivers: async () => [], log: new RecordingLog() }));
    await chmod(directory, 0o755);
    expect(await attempt(directory)).toMatchObject({ code: "SIDECAR_START_FAILED", message: expect.stringContaining("expected mode 0700, it has 0755") });
    expect(await attempt("/dev/null")).toMatchObject({ code: "SIDECAR_START_FAILED" });
    await rm(directory, { recursive: true });
  });

  test("S8: a non-loopback address refuses to start and leaves nothing", async () => {
    for (const host of ["0.0.0.0", "::", "192.168.0.1", "example.test", "127.0.0.1.nip.io", ""]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const error = await codeOf(TestSidecar.start({ listen: { kind: "tcp", host, port: 0 } }));
      expect(error).toMatchObject({ code: "SIDECAR_START_FAILED", message: expect.stringContaining("expected a loopback address") });
    }
  });

  test("S8: loopback is loopback, whatever the machine calls localhost", async () => {
    for (const host of ["localhost", "127.0.0.1"]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await using world = await TestSidecar.start({ listen: { kind: "tcp", host, port: 0 } });
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await using client = await openClient(world.ready.listen, world.ready.apiKey);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(client.peer.request("ping", {})).resolves.toEqual({});
    }
  });

  test("S10: to another user every id is unknown, exactly as one that never was", async () => {
    await using run = await startTcp();
    await using owner = await run.world.connect();
    await using bob = await run.world.connect(await run.world.keyOf("bob"));
    const { lease } = await owner.create({ vmId: "vm-of-owner", name: "secret-name" });
    await owner.peer.request("process.spawn", { ...lease, processId: "p", argv: ["sleep"], stream: owner.openStream().stream });
    const asks = (vmId: string, name: string): (() => Promise<unknown>)[] => {
      const at = { vmId, fence: 1 };
      const { stream } = bob.openStream();
      return [
        () => bob.peer.request("vm.info", at),
        () => bob.peer.request("vm.processes", at),
        () => bob.peer.request("vm.attach", { vm: vmId, leaseId: "l", mode: "takeover" }),
        () => bob.peer.request("vm.attach", { vm: name, leaseId: "l", mode: "shared" }),
        () => bob.peer.request("lease.release", { vmId, leaseId: lease.leaseId }),
        () => bob.peer.request("lease.resume", { ...at, leaseId: lease.leaseId }),
        () => bob.peer.request("process.signal", { ...at, processId: "p", signal: "SIGKILL" }),
        () => bob.peer.request("process.exec", { ...at, processId: "p", argv: ["true"], stream }),
        () => bob.peer.request("process.log", { ...at, processId: "p", stream }),
        () => bob.peer.request("fs.stat", { ...at, path: "/workspace" }),
        () => bob.peer.request("fs.read", { ...at, path: "/etc/passwd", stream }),
        () => bob.peer.request("stream.close", { ...at, stream: 1 }),
      ];
    };
    const answers = async (vmId: string, name: string): Promise<string> => {
      const all = await Promise.all(asks(vmId, name).map((ask) => codeOf(ask())));
      return JSON.stringify(all).replaceAll(vmId, "ID").replaceAll(name, "NAME");
    };
    const foreign = await answers("vm-of-owner", "secret-name");
    expect(foreign).toBe(await answers("vm-of-nobody", "never-there"));
    expect(foreign.match(/NOT_FOUND/g)?.length).toBe(12);
    await expect(bob.peer.request("vm.list", {})).resolves.toEqual({ vms: [] });
    await expect(bob.peer.request("sidecar.info", {})).resolves.toMatchObject({ vms: 0, leases: 0 });
    expect(run.world.driver.vm("vm-of-owner").running).toHaveLength(1);
  });

  test("S10: the same id, name and lease id of another user are another VM", async () => {
    await using world = await TestSidecar.start();
    await using owner = await world.connect();
    await using bob = await world.connect(await world.keyOf("bob"));
    const request = { vmId: "same", leaseId: "same", name: "same" };
    const mine = await owner.create(request);
    const theirs = await bob.create(request);
    expect(theirs.vm).toMatchObject({ vmId: "same", leases: 1 });
    await bob.peer.request("vm.attach", { vm: "same", leaseId: "take", mode: "takeover" });
    await expect(owner.peer.request("vm.info", mine.lease)).resolves.toMatchObject({ fence: 1, leases: 1 });
    expect(world.driver.vms).toHaveLength(2);
    expect(bob.events.concat(owner.events).map(({ event }) => event)).toEqual(["lease.fenced"]);
  });

  test("S10: only the owner keeps or ends the sidecar", async () => {
    await using world = await TestSidecar.start();
    await using bob = await world.connect(await world.keyOf("bob"));
    await expect(bob.peer.request("sidecar.keep", { keep: true })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await expect(bob.peer.request("sidecar.shutdown", {})).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await expect(bob.peer.request("ping", {})).resolves.toEqual({});
  });

  test("S12: __proto__, constructor and prototype are names like any other", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const { lease } = await client.create();
    const { vmId, fence } = lease;
    for (const name of ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"]) {
      const scoped = { vmId: name, fence };
      // oxlint-disable no-await-in-loop -- One after the other.
      expect(await codeOf(client.peer.request("vm.info", scoped))).toMatchObject({ code: "NOT_FOUND" });
      expect(await codeOf(client.peer.request("key.revoke", { keyId: name }))).toMatchObject({ code: "NOT_FOUND" });
      expect(await codeOf(client.peer.request("process.signal", { vmId, fence, processId: name, signal: "SIGTERM" }))).toMatchObject({ code: "NOT_FOUND" });
      expect(await codeOf(client.create({ driver: name }))).toMatchObject({ code: "UNKNOWN_DRIVER" });
      expect(await codeOf(client.create({ image: name }))).toMatchObject({ code: "IMAGE_NOT_FOUND" });
      await expect(client.exec(lease, ["true"], { processId: name }).exit).resolves.toMatchObject({ exitCode: 0 });
      await expect(client.create({ vmId: name, leaseId: name })).resolves.toMatchObject({ vm: { vmId: name } });
      // oxlint-enable no-await-in-loop
    }
    expect(Object.prototype).not.toHaveProperty("polluted");
  });

  test("S12: such keys in every map of a message change nothing else", async () => {
    await using world = await TestSidecar.start();
    await using owner = await world.connect();
    const { lease } = await owner.create();
    const socket = await openSocket(world.ready.listen, { apiKey: world.ready.apiKey });
    const answers = new Map<number, { type: string; error?: { code: string } }>();
    socket.on("message", (data) => {
      const answer = JSON.parse(String(data));
      answers.set(answer.id, answer);
    });
    const poison = '"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}';
    const env = '{"__proto__":"1","constructor":"2","prototype":"3","A":"4"}';
    socket.send(`{"type":"request","id":1,"method":"authenticate","params":{"protocol":{"min":1,"max":1,${poison}},"client":{"name":"t","version":"1",${poison}},${poison}},${poison}}`);
    socket.send(`{"type":"request","id":2,"method":"__proto__","params":{}}`);
    socket.send(`{"type":"request","id":3,"method":"constructor","params":{}}`);
    socket.send(`{"type":"request","id":4,"method":"vm.attach","params":{"vm":"${lease.vmId}","leaseId":"l9","mode":"shared",${poison}}}`);
    await expect.poll(() => answers.size).toBe(4);
    socket.send(`{"type":"request","id":5,"method":"process.exec","params":{"vmId":"${lease.vmId}","fence":1,"processId":"p","argv":["env"],"stream":1,"env":${env}}}`);
    socket.send(`{"type":"request","id":6,"method":"vm.create","params":{"vmId":"v6","leaseId":"l6","limits":{"__proto__":{"pids":1},"constructor":1}}}`);
    await expect.poll(() => answers.size).toBe(6);
    expect(answers.get(2)).toMatchObject({ type: "failure", error: { code: "UNKNOWN_METHOD" } });
    expect(answers.get(3)).toMatchObject({ type: "failure", error: { code: "UNKNOWN_METHOD" } });
    expect(answers.get(5)).toMatchObject({ type: "response" });
    expect(answers.get(6)).toMatchObject({ type: "failure", error: { code: "INVALID_ARGUMENT" } });
    expect({}).not.toHaveProperty("polluted");
    socket.terminate();
  });
});

/** "connected", or the name of the error, for a process of that uid. */
async function connectAs(uid: number, path: string): Promise<string> {
  const script = `
    const socket = require("node:net").connect(process.argv[1]);
    socket.on("connect", () => { console.log("connected"); process.exit(); });
    socket.on("error", (error) => { console.log(error.code); process.exit(); });`;
  const child = spawn(process.execPath, ["-e", script, path], { uid, gid: uid, cwd: "/", stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  await new Promise((resolve) => child.once("close", resolve));
  return output.trim();
}
