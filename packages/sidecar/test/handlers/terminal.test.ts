import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";

describe("terminal handlers", () => {
  test("[terminal.unsupported] a driver without terminals says so, and what to use instead", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const { lease } = await client.create();
    const scope = { vmId: lease.vmId, fence: lease.fence };
    const asked = { ...scope, terminalId: "t", argv: ["echo"], cols: 80, rows: 24 };
    await expect(client.peer.request("terminal.open", asked)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      details: { what: "terminals", instead: expect.stringContaining("exec, spawn") },
    });
    // Nothing was started.
    expect(await client.peer.request("process.list", scope)).toEqual({ processes: [] });
    expect(await client.peer.request("terminal.list", {})).toEqual({ terminals: [] });
  });

  test("[terminal.bad-input] sizes and ids are checked before anything is asked of a driver", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const { lease } = await client.create();
    const scope = { vmId: lease.vmId, fence: lease.fence, terminalId: "t" };
    for (const [cols, rows] of [
      [0, 24],
      [80, -1],
      [100_000, 24],
      [80, 1_001],
      [80.5, 24],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await expect(
        client.peer.request("terminal.resize", { ...scope, cols, rows }),
      ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    const size = { cols: 80, rows: 24 };
    await expect(
      client.peer.request("terminal.resize", { ...scope, ...size }),
    ).rejects.toMatchObject({ code: "NOT_FOUND", details: { kind: "terminal", id: "t" } });
    await expect(client.peer.request("terminal.info", scope)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    const attach = { ...scope, attachmentId: "a", stream: 7, mode: "read" as const };
    await expect(client.peer.request("terminal.attach", attach)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(
      client.peer.request("terminal.info", { ...scope, fence: scope.fence + 1 }),
    ).rejects.toMatchObject({ code: "FENCED" });
  });
});
