import * as fc from "fast-check";
import { expect, test } from "vitest";

import { DEFAULTS } from "../src/defaults.ts";
import { Envelope } from "../src/envelope.ts";
import type { Handlers } from "../src/handlers.ts";
import { MAX_CONCURRENT_REQUESTS, MAX_UNSENT_BYTES, Peer } from "../src/peer.ts";
import { encodeFrame, FRAME_KIND } from "../src/stream-frame.ts";
import type { Transport } from "../src/transport.ts";
import { RawEnd } from "./raw-end.ts";

const REF = { vmId: "vm-1", fence: 1 };
const STOP = { ...REF, processId: "p-1", signal: "SIGTERM" } as const;

/** Never answers before its signal. */
const waiting: Handlers = {
  "process.signal": (_params, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    }),
};

test.each([
  ["not JSON", "{"],
  ["empty", ""],
  ["null", "null"],
  ["a number", "7"],
  ["an array", "[]"],
  ["no type", "{}"],
  ["an unknown type", '{"type":"greeting","id":1}'],
  ["a type from a prototype", '{"__proto__":{"type":"cancel","id":1}}'],
  ["an id of text", '{"type":"cancel","id":"1"}'],
  ["an id of 0", '{"type":"cancel","id":0}'],
  ["an id with a fraction", '{"type":"cancel","id":1.5}'],
  ["an id past the safe integers", '{"type":"cancel","id":1e300}'],
  ["a method of an object", '{"type":"request","id":1,"method":{},"params":{}}'],
  ["a failure without an error", '{"type":"failure","id":1}'],
  ["an error without details", '{"type":"failure","id":1,"error":{"code":"X","message":""}}'],
])("%s ends the connection with PROTOCOL_ERROR", async (_name, text) => {
  const raw = new RawEnd();
  raw.transport.send(text);
  expect(await raw.peer.closed).toMatchObject({ code: "PROTOCOL_ERROR" });
});

test("no JSON and no text makes a peer throw; it answers or closes", () => {
  const envelopeLike = fc.record(
    {
      type: fc.constantFrom("request", "response", "failure", "event", "cancel", "other"),
      id: fc.oneof(fc.integer(), fc.jsonValue()),
      method: fc.oneof(fc.constantFrom("ping", "fs.stat", "process.exec"), fc.jsonValue()),
      params: fc.jsonValue(),
      event: fc.oneof(fc.constantFrom("vm.ended", "process.exited"), fc.jsonValue()),
      data: fc.jsonValue(),
      result: fc.jsonValue(),
      error: fc.jsonValue(),
    },
    { requiredKeys: ["type"] },
  );
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    envelopeLike.map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (texts) => {
      const transport = silent();
      const peer = new Peer(transport, { handlers: waiting });
      for (const message of texts) {
        expect(() => transport.onMessage?.(message)).not.toThrow();
      }
      peer.close();
    }),
    { numRuns: 500 },
  );
});

test("unknown fields of an envelope are ignored", () => {
  const envelope = { type: "cancel", id: 1, novelty: true, "": 1 };
  expect(Envelope.parse(envelope)).toEqual({ type: "cancel", id: 1 });
});

test("nothing that follows a violation in the same chunk has an effect", async () => {
  const called: string[] = [];
  // A real transport may have more to deliver after its close.
  const transport = silent();
  const peer = new Peer(transport, {
    handlers: { ping: () => (called.push("ping"), {}) },
    onFrame: () => called.push("frame"),
    onEvent: () => called.push("event"),
  });
  transport.onMessage?.("{");
  transport.onMessage?.(JSON.stringify({ type: "request", id: 1, method: "ping", params: {} }));
  transport.onMessage?.(
    JSON.stringify({ type: "event", event: "sidecar.closing", data: { reason: "" } }),
  );
  transport.onMessage?.(encodeFrame(FRAME_KIND.out, 1, 0));
  await peer.closed;
  expect(called).toEqual([]);
});

test("a binary message that is not one whole frame ends the connection", async () => {
  const raw = new RawEnd();
  raw.transport.send(Uint8Array.of(1, 2, 3));
  expect(await raw.peer.closed).toMatchObject({ code: "PROTOCOL_ERROR" });
});

test("a message over the limit ends the connection, one at the limit does not", async () => {
  const raw = new RawEnd();
  const envelope = JSON.stringify({ type: "event", event: "of.tomorrow", data: "" });
  const fill = DEFAULTS.maxFrameBytes - envelope.length;
  raw.transport.send(envelope.replace('""', `"${"x".repeat(fill)}"`));
  raw.send({ type: "request", id: 1, method: "ping", params: {} });
  await raw.messages(1);
  raw.transport.send(envelope.replace('""', `"${"x".repeat(fill + 1)}"`));
  expect(await raw.peer.closed).toMatchObject({
    code: "FRAME_TOO_LARGE",
    details: { limit: DEFAULTS.maxFrameBytes, actual: DEFAULTS.maxFrameBytes + 1 },
  });
});

test("nothing over the limit is sent: requests, answers and frames fail instead", async () => {
  const path = "/".repeat(4_000);
  const raw = new RawEnd({
    maxFrameBytes: 2_000,
    handlers: { "fs.realpath": () => ({ path }) },
  });
  await expect(raw.peer.request("fs.stat", { ...REF, path })).rejects.toMatchObject({
    code: "FRAME_TOO_LARGE",
    details: { limit: 2_000 },
  });
  expect(() => raw.peer.sendFrame(new Uint8Array(2_001))).toThrow("at most 2000 bytes");
  raw.send({ type: "request", id: 1, method: "fs.realpath", params: { ...REF, path: "/a" } });
  expect(await raw.messages(1)).toMatchObject([
    { type: "failure", id: 1, error: { code: "FRAME_TOO_LARGE" } },
  ]);
  expect(raw.peer.isClosed).toBe(false);
});

test("deep nesting is answered like any wrong argument", async () => {
  const raw = new RawEnd();
  const deep = "[".repeat(400_000) + "]".repeat(400_000);
  raw.transport.send(`{"type":"request","id":1,"method":"ping","params":${deep}}`);
  expect(await raw.messages(1)).toMatchObject([{ error: { code: "INVALID_ARGUMENT" } }]);
});

test("hostile keys reach no prototype", async () => {
  const seen: object[] = [];
  const raw = new RawEnd({ handlers: { "sidecar.keep": (params) => (seen.push(params), {}) } });
  const params = '{"keep":true,"__proto__":{"polluted":1},"constructor":{"prototype":{"p":1}}}';
  raw.transport.send(`{"type":"request","id":1,"method":"sidecar.keep","params":${params}}`);
  await raw.messages(1);
  expect(seen).toEqual([{ keep: true }]);
  expect(Object.getPrototypeOf(seen[0])).toBe(Object.prototype);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
});

test("one request too many is refused and the others go on", async () => {
  const raw = new RawEnd({ handlers: waiting });
  for (let id = 1; id <= MAX_CONCURRENT_REQUESTS + 1; id++) {
    raw.send({ type: "request", id, method: "process.signal", params: STOP });
  }
  expect(await raw.messages(1)).toMatchObject([
    { id: MAX_CONCURRENT_REQUESTS + 1, error: { code: "POOL_EXHAUSTED" } },
  ]);
  raw.send({ type: "cancel", id: 1 });
  raw.send({ type: "request", id: 1, method: "ping", params: {} });
  expect(raw.peer.isClosed).toBe(false);
});

test("a peer does not ask more at once than the other side takes", async () => {
  const raw = new RawEnd();
  const requests = Array.from({ length: MAX_CONCURRENT_REQUESTS }, () =>
    raw.peer.request("ping", {}, { deadlineMs: null }),
  );
  await expect(raw.peer.request("ping", {})).rejects.toMatchObject({
    code: "POOL_EXHAUSTED",
    retryable: true,
  });
  raw.peer.close();
  const results = await Promise.allSettled(requests);
  expect(results.every(({ status }) => status === "rejected")).toBe(true);
});

test("a peer that does not read is given up", async () => {
  const transport = { ...silent(), bufferedBytes: MAX_UNSENT_BYTES + 1 };
  const peer = new Peer(transport, { handlers: {} });
  transport.onMessage?.(JSON.stringify({ type: "request", id: 1, method: "ping", params: {} }));
  expect(await peer.closed).toMatchObject({ code: "CONNECTION_LOST" });
});

test("a transport that throws is a lost connection, for everyone who waits", async () => {
  const transport = silent();
  const peer = new Peer(transport, { handlers: {} });
  const first = peer.request("ping", {});
  transport.send = () => {
    throw new Error("not open");
  };
  const second = peer.request("ping", {});
  await expect(first).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  await expect(second).rejects.toBe(await peer.closed);
});

test("a fault in a listener costs the connection, not the process", async () => {
  const fault = new Error("our own fault");
  const raw = new RawEnd({
    onFrame: () => {
      throw fault;
    },
  });
  raw.transport.send(encodeFrame(FRAME_KIND.out, 1, 0));
  expect(await raw.peer.closed).toMatchObject({ code: "INTERNAL" });
  expect(raw.faults).toEqual([fault]);
});

test("a listener hears frames as their own bytes", async () => {
  const heard = Promise.withResolvers<Uint8Array>();
  const raw = new RawEnd({ onFrame: (_frame, bytes) => heard.resolve(bytes) });
  const sent = encodeFrame(FRAME_KIND.out, 1, 0, Uint8Array.of(9));
  raw.transport.send(sent);
  expect(Buffer.from(await heard.promise).equals(sent)).toBe(true);
});

function silent(): Transport {
  return {
    onMessage: undefined,
    onClose: undefined,
    bufferedBytes: 0,
    send: () => undefined,
    close: () => undefined,
  };
}
