import { AgentOsError, type Json, type JsonObject } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { LinePeer, LinePeerError } from "../../src/agent-process/line-peer.ts";

function startPeer(onRequest?: (method: string, params: Json) => Promise<Json>) {
  const sent: JsonObject[] = [];
  const told: [string, Json][] = [];
  const peer = new LinePeer({
    send: async (message) => void sent.push(message),
    onRequest: onRequest ?? (async () => null),
    onNotification: (method, params) => void told.push([method, params]),
  });
  return { peer, sent, told };
}

const GONE = new AgentOsError("AGENT_EXITED", "gone", { exitCode: 1, signal: null, stderr: [] });

describe("LinePeer", () => {
  test("matches answers with requests, in any order", async () => {
    const { peer, sent } = startPeer();
    const first = peer.request("one", { a: 1 });
    const second = peer.request("two", null);
    expect(sent).toEqual([
      { jsonrpc: "2.0", id: 1, method: "one", params: { a: 1 } },
      { jsonrpc: "2.0", id: 2, method: "two", params: null },
    ]);
    expect(peer.receive({ id: 2, result: "second" })).toBeUndefined();
    expect(
      peer.receive({ jsonrpc: "2.0", id: 1, error: { code: -32000, message: "no", data: 7 } }),
    ).toBeUndefined();
    await expect(first).rejects.toEqual(new LinePeerError(-32000, "no", 7));
    await expect(second).resolves.toBe("second");
    expect(peer.receive({ id: 2, result: "again" })).toBeUndefined();
  });

  test("answers what it is asked, and says what went wrong", async () => {
    const { peer, sent } = startPeer(async (method) => {
      if (method === "good") return { yes: true };
      throw method === "none" ? new LinePeerError(-32601, "no such method", undefined) : GONE;
    });
    await peer.receive({ id: "x", method: "good", params: {} });
    await peer.receive({ id: 5, method: "none" });
    await peer.receive({ id: 6, method: "bad" });
    expect(sent).toEqual([
      { jsonrpc: "2.0", id: "x", result: { yes: true } },
      { jsonrpc: "2.0", id: 5, error: { code: -32601, message: "no such method" } },
      { jsonrpc: "2.0", id: 6, error: { code: -32603, message: "gone" } },
    ]);
  });

  test("tells notifications, and lets everything else through", () => {
    const { peer, told } = startPeer();
    expect(peer.receive({ method: "update", params: { n: 1 } })).toBeUndefined();
    expect(told).toEqual([["update", { n: 1 }]]);
    for (const other of [
      null,
      1,
      "text",
      [],
      {},
      { id: 1 },
      { id: {}, result: 1 },
      { type: "x" },
    ]) {
      expect(peer.receive(other)).toBeUndefined();
    }
  });

  test("a request ends with its signal, its time or the other end", async () => {
    const { peer } = startPeer();
    const controller = new AbortController();
    const aborted = peer.request("one", null, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await expect(peer.request("two", null, { timeoutMs: 1 })).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    const waiting = peer.request("three", null);
    peer.close(GONE);
    await expect(waiting).rejects.toBe(GONE);
    await expect(peer.request("four", null)).rejects.toBe(GONE);
    await expect(peer.notify("five", null)).rejects.toBe(GONE);
  });
});
