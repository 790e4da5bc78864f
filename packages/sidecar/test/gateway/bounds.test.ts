import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { otherwise, script, stall, text } from "@agentos/fake-model";
import { FakeClock } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { GATEWAY_BOUNDS } from "../../src/gateway/gateway-bounds.ts";
import { providerTarget } from "../../src/gateway/provider-target.ts";
import { GatewayWorld, KEY } from "./gateway-world.ts";

const SCRIPT = script([otherwise().reply(text("hi"))]);

function dial(url: string): Socket {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  // Of a reset, the end tells.
  socket.on("error", () => undefined);
  return socket;
}

/** Everything until the gateway closes. */
async function saidTo(socket: Socket, request: string): Promise<string> {
  socket.write(request);
  let said = "";
  socket.setEncoding("latin1").on("data", (piece: string) => (said += piece));
  await once(socket, "close");
  return said;
}

describe("a request without an end to it", () => {
  test("[gateway.bounds] has so long for its headers, and a connection so long for the next one", async () => {
    const clock = new FakeClock();
    await using world = await GatewayWorld.start({ script: SCRIPT }, clock);
    const { endpoint } = await world.session("anthropic");
    const slow = dial(endpoint.baseUrl);
    slow.write("POST /v1/messages HTTP/1.1\r\nHost: x\r\n");
    const idle = dial(endpoint.baseUrl);
    idle.write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(idle, "data");
    clock.advance(GATEWAY_BOUNDS.headersMs);
    await once(slow, "close");
    expect(idle.closed).toBe(false);
    clock.advance(GATEWAY_BOUNDS.idleConnectionMs);
    await once(idle, "close");
    expect(slow.bytesRead).toBe(0);
  });

  test("[gateway.bounds] is refused by its size, and what is no HTTP is closed", async () => {
    await using world = await GatewayWorld.start({ script: SCRIPT });
    const { endpoint, route } = await world.session("anthropic");
    const head = `POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: ${endpoint.token}\r\n`;
    const large = await saidTo(
      dial(endpoint.baseUrl),
      `${head}Content-Length: ${GATEWAY_BOUNDS.requestBytes + 1}\r\n\r\n`,
    );
    expect(large).toMatch(/^HTTP\/1\.1 413 [^]*request_too_large/);
    const encoded = await saidTo(
      dial(endpoint.baseUrl),
      `${head}Content-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd`,
    );
    expect(encoded).toMatch(/^HTTP\/1\.1 415 /);
    const headers = `${head}X-Pad: ${"a".repeat(GATEWAY_BOUNDS.headerBytes)}\r\n\r\n`;
    expect(await saidTo(dial(endpoint.baseUrl), headers)).toBe("");
    expect(await saidTo(dial(endpoint.baseUrl), "\0\0nonsense\r\n\r\n")).toBe("");
    expect(await saidTo(dial(endpoint.baseUrl), "CONNECT evil.test:443 HTTP/1.1\r\n\r\n")).toBe("");
    expect(route.asked).toBe(0);
  });

  test("[gateway.bounds] of one VM has no more than so many connections", async () => {
    await using world = await GatewayWorld.start({ script: SCRIPT });
    const { endpoint } = await world.session("anthropic");
    const sockets = Array.from({ length: GATEWAY_BOUNDS.connectionsPerVm }, () =>
      dial(endpoint.baseUrl),
    );
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    const oneMore = dial(endpoint.baseUrl);
    await once(oneMore, "close");
    for (const socket of sockets) expect(socket.closed).toBe(false);
    const [first] = sockets;
    first?.destroy();
    await expect
      .poll(async () => (await fetch(endpoint.baseUrl).catch(() => undefined))?.status)
      .toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});

test("[gateway.bounds] a provider that says nothing for too long is given up, and both sides hear so", async () => {
  const clock = new FakeClock();
  await using world = await GatewayWorld.start(
    { script: script([otherwise().reply([stall()])]) },
    clock,
  );
  const { endpoint, route } = await world.session("anthropic");
  const answer = await fetch(`${endpoint.baseUrl}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": endpoint.token },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 1,
      stream: true,
      messages: [{ role: "user", content: "hi" }],
    }),
  });
  await world.server.journal.next(() => true);
  clock.advance(GATEWAY_BOUNDS.answerStallMs);
  await expect(answer.text()).rejects.toThrow(/terminated/);
  expect(await route.until(1)).toMatchObject([{ error: { code: "PROVIDER_FAILED" } }]);
  const [entry] = world.server.journal.entries;
  expect((await world.server.journal.ended(entry?.id ?? 0)).outcome).toBe("aborted");
});

describe("a provider's address", () => {
  test.each([
    ["http://api.example.test/v1", /expected https, or http to this machine/],
    ["http://10.0.0.1/v1", /expected https/],
    ["http://127.0.0.1.nip.io/v1", /expected https/],
    ["https://user:secret@api.example.test/v1", /without a user/],
    ["https://api.example.test/v1?key=1", /without a user, query/],
    ["ftp://api.example.test", /expected https/],
  ])("[gateway.address] %s is refused", (baseUrl, message) => {
    expect(() => providerTarget({ name: "anthropic", baseUrl, apiKey: KEY })).toThrow(message);
  });

  test.each([
    "https://api.example.test/v1",
    "http://127.0.0.1:1234/v1",
    "http://2130706433/v1",
    "http://[::1]:80/v1",
    "http://localhost/v1/",
  ])("[gateway.address] %s is taken", (baseUrl) => {
    const target = providerTarget({ name: "anthropic", baseUrl, apiKey: KEY });
    expect(target.baseUrl.pathname).toBe("/v1");
  });

  test("[gateway.address] no key is named with the variables that may hold it", () => {
    expect(() => providerTarget({ name: "gemini" })).toThrow(/GEMINI_API_KEY/);
    expect(() => providerTarget({ name: "nobody", apiKey: KEY })).toThrow(/expected one of/);
    expect(() => providerTarget({ name: "openai-compatible" })).toThrow(/the address of a server/);
  });
});
