import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";

import type { NetworkDecision, NetworkPolicy } from "@agentos/protocol";
import { FakeDriver, type FakeVm } from "@agentos/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Resolve } from "../../src/egress/dial.ts";
import { VmEgress } from "../../src/egress/vm-egress.ts";
import { HeldLimits } from "../../src/vms/held-limits.ts";

const here = { address: "127.0.0.1", family: 4 } as const;
/** What the name server says. */
let names: Record<string, Awaited<ReturnType<Resolve>>>;
let lookups: string[];
let vm: FakeVm;
let egress: VmEgress;
let limits: HeldLimits;
let told: NetworkDecision[];
let servers: Server[];

beforeEach(async () => {
  names = { "here.test": [here], "other.test": [here] };
  lookups = [];
  told = [];
  servers = [];
  const base = { vmId: "vm", image: "host", mounts: [], limits: {}, requiredLimits: [] };
  const signal = AbortSignal.timeout(60_000);
  vm = await new FakeDriver().create(
    { ...base, security: "standard", network: { egress: "none" } },
    { signal },
  );
  limits = new HeldLimits();
  egress = new VmEgress({
    limits,
    resolve: async (name) => {
      lookups.push(name);
      return names[name] ?? [];
    },
  });
  egress.gate.decisions.listen((decision) => told.push(decision));
});
afterEach(() => {
  egress.close();
  for (const server of servers) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  return address.port;
}

async function sayBack(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(incoming);
  const { method, url, headers } = incoming;
  response.setHeader("x-server", "web");
  response.end(JSON.stringify({ method, url, body, headers }));
}

/** A web server out there: it says what it was asked. */
const web = (): Promise<number> =>
  listen(createHttpServer((incoming, response) => void sayBack(incoming, response)));

const echo = (onSocket: (socket: Socket) => void = () => {}): Promise<number> =>
  listen(
    createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      onSocket(socket);
      socket.pipe(socket);
    }),
  );

const allow = (...hosts: string[]): NetworkPolicy => ({ egress: "allow", hosts });
const apply = (policy: NetworkPolicy): Promise<void> => egress.apply(vm, policy);

/** A request of a program of the VM, through the proxy. */
async function ask(
  url: string,
  options: { method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number | undefined; body: string; headers: IncomingMessage["headers"] }> {
  const outgoing = request({
    createConnection: () => vm.network.dial({ port: 3128 }),
    path: url,
    method: options.method ?? "GET",
    headers: { host: "ignored.test", ...options.headers },
  });
  const answered = Promise.withResolvers<IncomingMessage>();
  outgoing.on("response", answered.resolve);
  outgoing.on("error", answered.reject);
  outgoing.end(options.body);
  const response = await answered.promise;
  return { status: response.statusCode, body: await text(response), headers: response.headers };
}

/** CONNECT: the status line, and the stream behind it. */
async function tunnelTo(authority: string): Promise<{ status: string; socket: Duplex }> {
  const socket = vm.network.dial({ port: 3128 });
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [head]: unknown[] = await once(socket, "data");
  return { status: String(head).split("\r\n")[0] ?? "", socket };
}

/** The first bytes that come; nothing where it is cut before. */
async function firstOf(socket: Duplex): Promise<string> {
  return await new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => resolve(chunk.toString()));
    socket.on("close", () => resolve(""));
  });
}

/** The reply to a CONNECT by SOCKS5, and the stream behind it. */
async function socks(type: number, host: Buffer, port: number): Promise<[number, Duplex]> {
  const socket = vm.network.dial({ port: 1080 });
  socket.write(Buffer.of(5, 1, 0));
  const [method]: unknown[] = await once(socket, "data");
  expect(method).toEqual(Buffer.of(5, 0));
  socket.write(Buffer.concat([Buffer.of(5, 1, 0, type), host, Buffer.of(port >> 8, port & 255)]));
  const [reply]: unknown[] = await once(socket, "data");
  return [Buffer.isBuffer(reply) ? (reply[1] ?? -1) : -1, socket];
}
const named = (host: string): Buffer => Buffer.concat([Buffer.of(host.length), Buffer.from(host)]);

describe("the HTTP proxy", () => {
  test("[network.egress] lets through what the policy names, and nothing before", async () => {
    expect(() => vm.network.dial({ port: 3128 })).toThrow("ECONNREFUSED");
    const port = await web();
    await apply(allow(`here.test:${port}`, `127.0.0.1:${port}`));
    const { status, body, headers } = await ask(`http://HERE.test.:${port}/a?b`, {
      method: "POST",
      body: "x",
      headers: {
        "proxy-authorization": "secret",
        connection: "x-mine",
        "x-mine": "1",
        "x-kept": "2",
      },
    });
    expect([status, headers["x-server"]]).toEqual([200, "web"]);
    const seen = JSON.parse(body);
    expect(seen).toMatchObject({ method: "POST", url: "/a?b", body: "x" });
    expect(seen.headers).toMatchObject({ host: `HERE.test.:${port}`, "x-kept": "2" });
    expect(Object.keys(seen.headers)).not.toContain("proxy-authorization");
    expect(Object.keys(seen.headers)).not.toContain("x-mine");
    expect(told).toEqual([
      {
        decision: "allowed",
        via: "http",
        host: "here.test",
        port,
        address: "127.0.0.1",
        untold: 0,
      },
    ]);
    expect(lookups).toEqual(["here.test"]);
    await apply({ egress: "none" });
    expect(() => vm.network.dial({ port: 3128 })).toThrow("ECONNREFUSED");
    expect(egress.environment).toEqual({});
  });

  test("[network.empty-list] S33: an empty list lets nothing through, and no name is looked up", async () => {
    const port = await web();
    await apply(allow());
    for (const host of [`here.test:${port}`, `127.0.0.1:${port}`, "example.com", "[::1]"]) {
      // oxlint-disable-next-line no-await-in-loop
      expect((await ask(`http://${host}/`)).status).toBe(403);
    }
    expect(lookups).toEqual([]);
    expect(told.every(({ decision }) => decision === "refused")).toBe(true);
  });

  test("[network.private] S34: a name leads to no private address unless the policy names that", async () => {
    const port = await web();
    await apply(allow(`here.test:${port}`, `*:${port}`));
    expect(await ask(`http://here.test:${port}/`)).toMatchObject({
      status: 403,
      body: expect.stringContaining("not public"),
    });
    expect((await ask(`http://127.0.0.1:${port}/`)).status).toBe(403);
    for (const address of ["10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "192.168.1.1"]) {
      names["here.test"] = [{ address, family: 4 }];
      // oxlint-disable-next-line no-await-in-loop
      expect((await ask(`http://here.test:${port}/`)).status).toBe(403);
    }
    for (const address of ["::1", "fe80::1", "fd00::1", "64:ff9b::7f00:1", "2002:7f00:1::"]) {
      names["here.test"] = [{ address, family: 6 }];
      // oxlint-disable-next-line no-await-in-loop
      expect((await ask(`http://here.test:${port}/`)).status).toBe(403);
    }
    await apply(allow(`here.test:${port}`, `127.0.0.0/8:${port}`));
    names["here.test"] = [{ address: "10.0.0.1", family: 4 }, here];
    expect((await ask(`http://here.test:${port}/`)).status).toBe(200);
    expect(told.at(-1)).toMatchObject({ address: "127.0.0.1" });
  });

  test("[network.rebinding] S34: the address that was checked is the one that is dialled", async () => {
    const port = await web();
    await apply(allow(`here.test:${port}`, `127.0.0.1:${port}`));
    let asked = 0;
    const rebinding = new VmEgress({
      resolve: async () => {
        asked += 1;
        return [asked === 1 ? here : { address: "10.0.0.1", family: 4 }];
      },
    });
    await apply({ egress: "none" });
    await rebinding.apply(vm, allow(`here.test:${port}`, `127.0.0.1:${port}`));
    expect((await ask(`http://here.test:${port}/`)).status).toBe(200);
    expect(asked).toBe(1);
    expect((await ask(`http://here.test:${port}/`)).status).toBe(403);
    rebinding.close();
  });

  test("[network.spellings] S34: other spellings of a host are the host, or none", async () => {
    const port = await web();
    await apply(allow(`here.test:${port}`, `127.0.0.1:${port}`));
    for (const host of [
      "evil.test\u0001.here.test",
      "evil.test@here.test",
      "here.test@evil.test",
      "2130706433",
      "0x7f000001",
      "0177.0.0.1",
      "127.1",
      "[fe80::1%lo]",
      "here.test.evil.test",
    ]) {
      const socket = vm.network.dial({ port: 3128 });
      socket.write(`GET http://${host}:${port}/ HTTP/1.1\r\nHost: here.test\r\n\r\n`);
      // oxlint-disable-next-line no-await-in-loop
      expect(await firstOf(socket)).not.toContain("200");
      socket.destroy();
    }
    expect((await ask(`http://[::ffff:127.0.0.1]:${port}/`)).status).toBe(200);
    expect((await ask("/origin-form")).status).toBe(403);
    expect((await ask("https://here.test/")).status).toBe(403);
  });

  test("[network.connect] CONNECT carries bytes both ways; what is not there is 502", async () => {
    const port = await echo();
    await apply(allow(`here.test:${port}`, "127.0.0.1:*", "here.test:1"));
    const { status, socket } = await tunnelTo(`here.test:${port}`);
    expect(status).toBe("HTTP/1.1 200 Connection Established");
    socket.end("through");
    expect(await text(socket)).toBe("through");
    expect((await tunnelTo("here.test:1")).status).toContain("502");
    expect((await tunnelTo(`evil.test:${port}`)).status).toContain("403");
    expect((await tunnelTo("here.test")).status).toContain("403");
  });

  test("[network.sni] S34: TLS for another host than was asked for is cut", async () => {
    let bytes = 0;
    const port = await echo((socket) =>
      socket.on("data", (chunk: Buffer) => (bytes += chunk.length)),
    );
    await apply(allow(`here.test:${port}`, `127.0.0.1:${port}`));
    const greet = async (servername: string): Promise<string> => {
      const { socket } = await tunnelTo(`here.test:${port}`);
      const closed = Promise.withResolvers<string>();
      const tls = connectTls({ socket, servername, rejectUnauthorized: false });
      // The echo is no TLS server: what it sends back is a failure of TLS, which a cut is not.
      tls.on("error", (error) => closed.resolve("code" in error ? String(error.code) : "error"));
      return await closed.promise;
    };
    expect(await greet("other.test")).toBe("ECONNRESET");
    expect(bytes).toBe(0);
    expect(told.at(-1)).toMatchObject({
      decision: "refused",
      reason: "its TLS is for another host",
    });
    expect(await greet("here.test")).not.toBe("ECONNRESET");
    expect(bytes).toBeGreaterThan(0);
  });
});

describe("the SOCKS proxy", () => {
  test("[network.socks] names and addresses go through the same policy", async () => {
    const port = await echo();
    await apply(allow(`here.test:${port}`, `127.0.0.1:${port}`));
    const [done, socket] = await socks(3, named("here.test"), port);
    expect(done).toBe(0);
    socket.end("through");
    expect(await text(socket)).toBe("through");
    expect((await socks(1, Buffer.of(127, 0, 0, 1), port))[0]).toBe(0);
    const mapped = Buffer.from("00000000000000000000ffff7f000001", "hex");
    expect((await socks(4, mapped, port))[0]).toBe(0);
    expect((await socks(3, named("evil.test"), port))[0]).toBe(2);
    expect((await socks(3, named("evil.test\0.here.test"), port))[0]).toBe(2);
    expect((await socks(1, Buffer.of(10, 0, 0, 1), port))[0]).toBe(2);
    expect((await socks(3, named("here.test"), 1))[0]).toBe(2);
  });

  test("anything but CONNECT is refused", async () => {
    await apply(allow("*:*"));
    const socket = vm.network.dial({ port: 1080 });
    socket.write(Buffer.from([5, 1, 0, 5, 3, 0, 1, 127, 0, 0, 1, 0, 80]));
    let answer = "";
    for await (const chunk of socket) answer += Buffer.from(chunk).toString("hex");
    expect(answer.startsWith("05000507")).toBe(true);
  });
});

describe("a policy", () => {
  test("[network.live] another one cuts what it forbids, and leaves what it allows", async () => {
    const [kept, cut] = [await echo(), await echo()];
    await apply(allow(`here.test:${kept}`, `other.test:${cut}`, "127.0.0.1:*"));
    const first = await tunnelTo(`here.test:${kept}`);
    const second = await tunnelTo(`other.test:${cut}`);
    const closed = new Promise((resolve) => second.socket.on("close", resolve));
    await apply(allow(`here.test:${kept}`, "127.0.0.1:*"));
    await closed;
    expect(told.at(-1)).toMatchObject({ decision: "refused", host: "other.test" });
    first.socket.end("still");
    expect(await text(first.socket)).toBe("still");
    expect((await tunnelTo(`other.test:${cut}`)).status).toContain("403");
    expect(egress.gate.use).toMatchObject({
      allowed: 2,
      refused: 2,
      sentBytes: 5,
      receivedBytes: 5,
    });
  });

  test("[network.decisions] a flood of decisions is counted, not told", async () => {
    await apply(allow());
    for (let index = 0; index < 150; index++) {
      egress.gate.revoke({ via: "http", target: undefined, shown: "x" }, "a test");
    }
    expect(told.length).toBeLessThanOrEqual(101);
    expect(egress.gate.decisions.counts.refused).toBe(150);
  });

  test("a VM without a network can have no policy but none", async () => {
    const without = Object.create(vm, { network: { value: undefined } });
    await expect(egress.apply(without, allow())).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await egress.apply(without, { egress: "none" });
    expect(egress.policy).toEqual({ egress: "none" });
  });

  test("[limits.network] holds the limits on connections and bytes, and tells", async () => {
    const hits: string[] = [];
    limits.listen({
      hit: (limit, value) => hits.push(`hit ${limit} ${value}`),
      near: (limit, value) => hits.push(`near ${limit} ${value}`),
    });
    const port = await echo();
    await apply(allow(`here.test:${port}`, `127.0.0.1:${port}`));
    limits.change({ networkConnections: 1 });
    const { socket } = await tunnelTo(`here.test:${port}`);
    expect((await tunnelTo(`here.test:${port}`)).status).toContain("403");
    expect(hits).toEqual(["near networkConnections 1", "hit networkConnections 1"]);
    limits.change({ networkBytes: 1_000 });
    const cut = new Promise((resolve) => socket.on("error", () => {}).on("close", resolve));
    socket.write(Buffer.alloc(2_000));
    await cut;
    limits.change({ networkConnections: 2 });
    expect((await tunnelTo(`here.test:${port}`)).status).toContain("403");
    expect(hits).toContain("hit networkBytes 1000");
    expect(told.at(-1)?.reason).toContain("1000 bytes");
  });
});
