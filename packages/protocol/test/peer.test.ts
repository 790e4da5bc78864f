import { expect, test } from "vitest";

import { AgentOsError } from "../src/agent-os-error.ts";
import type { Handlers } from "../src/handlers.ts";
import { createMemoryTransportPair } from "../src/memory-transport.ts";
import { Peer, type PeerOptions } from "../src/peer.ts";
import { encodeFrame, FRAME_KIND } from "../src/stream-frame.ts";
import { RawEnd } from "./raw-end.ts";

const REF = { vmId: "vm-1", fence: 1 };
const STOP = { ...REF, processId: "p-1", signal: "SIGTERM" } as const;

function pair(left: Partial<PeerOptions>, right: Partial<PeerOptions>): [Peer, Peer] {
  const [near, far] = createMemoryTransportPair();
  return [new Peer(near, { handlers: {}, ...left }), new Peer(far, { handlers: {}, ...right })];
}

/** A handler that says when it was called and waits for its signal. */
function waiting(): { handlers: Handlers; called: Promise<void>; reason: Promise<unknown> } {
  const called = Promise.withResolvers<void>();
  const reason = Promise.withResolvers<unknown>();
  const handlers: Handlers = {
    "process.signal": (_params, { signal }) => {
      called.resolve();
      const { promise, reject } = Promise.withResolvers<Record<string, never>>();
      signal.addEventListener("abort", () => {
        reason.resolve(signal.reason);
        reject(signal.reason);
      });
      return promise;
    },
  };
  return { handlers, called: called.promise, reason: reason.promise };
}

test("both sides ask and both answer", async () => {
  const [left, right] = pair(
    { handlers: { "fs.realpath": ({ path }) => ({ path: `left ${path}` }) } },
    { handlers: { "fs.realpath": async ({ path }) => ({ path: `right ${path}` }) } },
  );
  const answers = await Promise.all([
    left.request("fs.realpath", { ...REF, path: "/a" }),
    right.request("fs.realpath", { ...REF, path: "/b" }),
    left.request("ping", {}),
  ]);
  expect(answers).toEqual([{ path: "right /a" }, { path: "left /b" }, {}]);
});

test("a handler runs before the frame that follows its request", async () => {
  const order: string[] = [];
  const [left, right] = pair(
    {},
    {
      handlers: {
        "process.signal": async () => {
          order.push("request");
          await Promise.resolve();
          order.push("later");
          return {};
        },
      },
      onFrame: ({ stream }) => order.push(`frame ${stream}`),
    },
  );
  const answer = left.request("process.signal", STOP);
  left.sendFrame(encodeFrame(FRAME_KIND.dataIn, 5, 0, Uint8Array.of(1)));
  await answer;
  expect(order.slice(0, 2).toSorted()).toEqual(["frame 5", "request"].toSorted());
  expect(order[0]).toBe("request");
  right.close();
});

test("the handler is called synchronously on receipt, in the order of arrival", () => {
  const called: string[] = [];
  const [near] = createMemoryTransportPair();
  const peer = new Peer(near, {
    handlers: { "fs.realpath": ({ path }) => (called.push(path), { path }) },
  });
  for (const id of [1, 2]) {
    const params = { ...REF, path: `/${id}` };
    near.onMessage?.(JSON.stringify({ type: "request", id, method: "fs.realpath", params }));
  }
  expect(called).toEqual(["/1", "/2"]);
  peer.close();
});

test("a typed error of the handler arrives with code, message and details", async () => {
  const details = { errno: "ENOENT", syscall: "open", path: "/a" };
  const failing = (): never => {
    throw new AgentOsError("FILE_SYSTEM", "ENOENT: no such file", details);
  };
  const [left] = pair({}, { handlers: { "fs.stat": failing } });
  await expect(left.request("fs.stat", { ...REF, path: "/a" })).rejects.toMatchObject({
    code: "FILE_SYSTEM",
    message: "ENOENT: no such file",
    details,
    errno: "ENOENT",
  });
});

test("of a foreign error nothing leaks, and the fault is told on the answering side", async () => {
  const secret = Object.assign(new Error("/home/user/.key: EACCES"), { path: "/home/user/.key" });
  const raw = new RawEnd({
    handlers: {
      ping: () => {
        throw secret;
      },
    },
  });
  raw.send({ type: "request", id: 1, method: "ping", params: {} });
  const [failure] = await raw.messages(1);
  expect(failure).toEqual({
    type: "failure",
    id: 1,
    error: { code: "INTERNAL", message: "internal error: see the sidecar's log", details: {} },
  });
  expect(raw.faults).toEqual([secret]);
});

test("a result that does not parse is an internal error of the answering side", async () => {
  const faults: unknown[] = [];
  const [left] = pair(
    {},
    {
      handlers: {
        "fs.write": () => ({ size: Number.NaN }),
      },
      onFault: (error) => faults.push(error),
    },
  );
  const write = { ...REF, path: "/a", stream: 1 };
  await expect(left.request("fs.write", write)).rejects.toMatchObject({ code: "INTERNAL" });
  expect(faults).toHaveLength(1);
});

test("[bad.method] an unknown method, an unanswered one and wrong params are typed", async () => {
  const raw = new RawEnd();
  const ask = (id: number, method: string, params?: unknown): void =>
    raw.send({ type: "request", id, method, params });
  ask(1, "vm.explode", {});
  ask(2, "constructor", {});
  ask(3, "vm.list", {});
  ask(4, "ping");
  ask(5, "m".repeat(10_000), {});
  await raw.messages(5);
  expect(raw.byId).toMatchObject([
    { id: 1, error: { code: "UNKNOWN_METHOD", details: { method: "vm.explode" } } },
    { id: 2, error: { code: "UNKNOWN_METHOD", details: { method: "constructor" } } },
    { id: 3, error: { code: "UNSUPPORTED", details: { what: "vm.list" } } },
    { id: 4, error: { code: "INVALID_ARGUMENT", details: { argument: "ping" } } },
    { id: 5, error: { details: { method: "m".repeat(80) } } },
  ]);
  expect(raw.peer.isClosed).toBe(false);
});

test("wrong params are refused before anything is sent", async () => {
  const raw = new RawEnd();
  const request = raw.peer.request("fs.stat", { ...REF, path: "relative" });
  await expect(request).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    details: { argument: "fs.stat.path", actual: '"relative"' },
  });
  expect(raw.received).toEqual([]);
});

test("a cancelled request rejects at once and reaches the handler's signal", async () => {
  const other = waiting();
  const [left] = pair({}, { handlers: other.handlers });
  const controller = new AbortController();
  const request = left.request("process.signal", STOP, { signal: controller.signal });
  await other.called;
  controller.abort(new Error("enough"));
  await expect(request).rejects.toMatchObject({
    code: "CANCELLED",
    details: { operation: "process.signal" },
    cause: { message: "enough" },
  });
  expect(await other.reason).toMatchObject({
    code: "CANCELLED",
    details: { operation: "process.signal" },
  });
  // The late answer is dropped, and the connection goes on.
  expect(await left.request("ping", {})).toEqual({});
});

test("a request with an aborted signal sends nothing", async () => {
  const raw = new RawEnd();
  const request = raw.peer.request("ping", {}, { signal: AbortSignal.abort() });
  await expect(request).rejects.toMatchObject({ code: "CANCELLED" });
  await expect(raw.peer.request("ping", {}, { deadlineMs: 1 })).rejects.toBeDefined();
  expect(raw.envelopes).toMatchObject([
    { type: "request", id: 1 },
    { type: "cancel", id: 1 },
  ]);
});

test("a passed deadline rejects and cancels on the other side", async () => {
  const other = waiting();
  const [left] = pair({}, { handlers: other.handlers });
  const request = left.request("process.signal", STOP, { deadlineMs: 1 });
  await expect(request).rejects.toMatchObject({
    code: "DEADLINE_EXCEEDED",
    retryable: true,
    details: { operation: "process.signal", deadlineMs: 1 },
  });
  expect(await other.reason).toMatchObject({ code: "CANCELLED" });
});

test.each([Number.POSITIVE_INFINITY, 2 ** 31, null])(
  "a deadline of %s does not pass at once",
  async (deadlineMs) => {
    const raw = new RawEnd();
    const request = raw.peer.request("ping", {}, { deadlineMs });
    // A timer that can't hold the number would fire after 1 ms, so before this one.
    setTimeout(() => raw.send({ type: "response", id: 1, result: {} }), 5);
    expect(await request).toEqual({});
  },
);

test("a closed connection rejects everything with one stored error, then and later", async () => {
  const other = waiting();
  const [left, right] = pair({}, { handlers: other.handlers });
  const requests = [left.request("process.signal", STOP), left.request("process.signal", STOP)];
  await other.called;
  right.close();
  const results = await Promise.allSettled([...requests, left.closed]);
  const stored = await left.closed;
  expect(stored).toMatchObject({ code: "CONNECTION_LOST", retryable: true });
  expect(results).toEqual([
    { status: "rejected", reason: stored },
    { status: "rejected", reason: stored },
    { status: "fulfilled", value: stored },
  ]);
  await expect(left.request("ping", {})).rejects.toBe(stored);
  expect(await other.reason).toBe(await right.closed);
});

test("the first reason of a close is kept", async () => {
  const [left] = pair({}, {});
  const reason = new AgentOsError("DISPOSED", "done", { kind: "sidecar", id: "s" });
  left.close(reason);
  left.close();
  expect(await left.closed).toBe(reason);
  expect(left.isClosed).toBe(true);
  left.emit("sidecar.closing", { reason: "nobody hears" });
  left.sendFrame(encodeFrame(FRAME_KIND.out, 1, 0));
});

test("events arrive parsed, without fields that nobody knows", async () => {
  const heard: unknown[] = [];
  const raw = new RawEnd({ onEvent: (event, data) => heard.push([event, data]) });
  const data = { vmId: "vm-1", reason: "died", novelty: 1 };
  raw.send({ type: "event", event: "vm.ended", data });
  raw.send({ type: "event", event: "of.tomorrow", data: {} });
  raw.send({ type: "event", event: "__proto__", data: {} });
  await raw.peer.request("ping", {}, { deadlineMs: 1 }).catch(() => undefined);
  expect(heard).toEqual([["vm.ended", { vmId: "vm-1", reason: "died" }]]);
  expect(raw.peer.isClosed).toBe(false);
});

test("an event that does not parse ends the connection", async () => {
  const raw = new RawEnd();
  raw.send({ type: "event", event: "vm.ended", data: { vmId: 5 } });
  expect(await raw.peer.closed).toMatchObject({ code: "PROTOCOL_ERROR" });
});

test("an answer that does not parse is a protocol error of that request alone", async () => {
  const raw = new RawEnd();
  const request = raw.peer.request("fs.realpath", { ...REF, path: "/a" });
  raw.send({ type: "response", id: 1, result: { path: 7 } });
  await expect(request).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
  expect(raw.peer.isClosed).toBe(false);
});

test("unknown, repeated and late answers are dropped", async () => {
  const raw = new RawEnd();
  raw.send({ type: "response", id: 99, result: {} });
  raw.send({ type: "failure", id: 98, error: { code: "INTERNAL", message: "", details: {} } });
  raw.send({ type: "cancel", id: 97 });
  const request = raw.peer.request("fs.realpath", { ...REF, path: "/a" });
  raw.send({ type: "response", id: 1, result: { path: "/first" } });
  raw.send({ type: "response", id: 1, result: { path: "/second" } });
  expect(await request).toEqual({ path: "/first" });
  expect(raw.peer.isClosed).toBe(false);
});

test("a request id in use ends the connection; an answered one may come again", async () => {
  const raw = new RawEnd({ handlers: waiting().handlers });
  const ping = { type: "request", id: 1, method: "ping", params: {} };
  raw.send(ping);
  await raw.messages(1);
  raw.send(ping);
  await raw.messages(2);
  const stop = { type: "request", id: 2, method: "process.signal", params: STOP };
  raw.send(stop);
  raw.send(stop);
  expect(await raw.peer.closed).toMatchObject({ code: "PROTOCOL_ERROR" });
});
