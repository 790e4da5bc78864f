import { encodeFrame, FRAME_KIND } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";

async function setUp() {
  const world = await TestSidecar.start();
  const client = await world.connect();
  const { lease } = await client.create();
  const { vmId, fence } = lease;
  const stack = new AsyncDisposableStack();
  stack.use(world);
  stack.use(client);
  const scope = { vmId, fence };
  const write = (path: string, text: string, how?: "append" | "exclusive") => {
    const { stream } = client.openStream();
    const bytes = Buffer.from(text);
    const written = client.peer.request("fs.write", {
      ...scope,
      path,
      stream,
      ...(how === undefined ? {} : { how }),
    });
    client.peer.sendFrame(encodeFrame(FRAME_KIND.dataIn, stream, 0, bytes));
    client.peer.sendFrame(encodeFrame(FRAME_KIND.eofIn, stream, bytes.byteLength));
    return written;
  };
  const read = async (path: string, start?: number, length?: number): Promise<string> => {
    const { stream, sink } = client.openStream();
    await client.peer.request("fs.read", { ...scope, path, stream, start, length });
    await sink.ended();
    return sink.stdout.toString();
  };
  return { world, client, scope, write, read, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("fs handlers", () => {
  test("what is written is read, whole or in part", async () => {
    await using run = await setUp();
    await expect(run.write("/workspace/a", "hello")).resolves.toEqual({ size: 5 });
    await expect(run.write("/workspace/a", " world", "append")).resolves.toEqual({ size: 11 });
    await expect(run.read("/workspace/a")).resolves.toBe("hello world");
    await expect(run.read("/workspace/a", 6, 3)).resolves.toBe("wor");
    await expect(run.write("/workspace/a", "x", "exclusive")).rejects.toMatchObject({
      code: "FILE_SYSTEM",
      errno: "EEXIST",
    });
    await run.write("/workspace/empty", "");
    await expect(run.read("/workspace/empty")).resolves.toBe("");
  });

  test("every other operation reaches the VM", async () => {
    await using run = await setUp();
    const { client, scope } = run;
    const { peer } = client;
    await peer.request("fs.mkdir", { ...scope, path: "/workspace/d/e", recursive: true });
    await run.write("/workspace/d/e/f", "text");
    await peer.request("fs.chmod", { ...scope, path: "/workspace/d/e/f", mode: 0o600 });
    await peer.request("fs.truncate", { ...scope, path: "/workspace/d/e/f", length: 2 });
    await peer.request("fs.symlink", { ...scope, path: "/workspace/l", content: "d/e/f" });
    await expect(
      peer.request("fs.stat", { ...scope, path: "/workspace/l" }),
    ).resolves.toMatchObject({
      stat: { type: "file", size: 2, mode: 0o600 },
    });
    await expect(
      peer.request("fs.lstat", { ...scope, path: "/workspace/l" }),
    ).resolves.toMatchObject({
      stat: { type: "symlink" },
    });
    await expect(peer.request("fs.readlink", { ...scope, path: "/workspace/l" })).resolves.toEqual({
      path: "d/e/f",
    });
    await expect(peer.request("fs.realpath", { ...scope, path: "/workspace/l" })).resolves.toEqual({
      path: "/workspace/d/e/f",
    });
    await peer.request("fs.copy", {
      ...scope,
      from: "/workspace/d",
      to: "/workspace/c",
      recursive: true,
    });
    await peer.request("fs.rename", { ...scope, from: "/workspace/c/e/f", to: "/workspace/g" });
    await expect(run.read("/workspace/g")).resolves.toBe("te");
    await peer.request("fs.rm", { ...scope, path: "/workspace/d", recursive: true });
    await expect(peer.request("fs.stat", { ...scope, path: "/workspace/d" })).rejects.toMatchObject(
      {
        code: "FILE_SYSTEM",
        details: { errno: "ENOENT" },
      },
    );
    const { stream, sink } = client.openStream();
    await expect(
      peer.request("fs.readdir", { ...scope, path: "/workspace", stream }),
    ).resolves.toMatchObject({
      stat: { type: "directory" },
    });
    await sink.ended();
    expect(sink.stdout.byteLength).toBeGreaterThan(0);
  });

  test("relative paths and NUL are refused before any effect", async () => {
    await using run = await setUp();
    for (const path of ["relative", "", "/a\0b", `/${"x".repeat(5_000)}`]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await expect(
        run.client.peer.request("fs.mkdir", { ...run.scope, path, recursive: true }),
      ).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
  });

  test("a cancelled write ends its stream", async () => {
    await using run = await setUp();
    const { stream } = run.client.openStream();
    const controller = new AbortController();
    const params = { ...run.scope, path: "/workspace/a", stream };
    const written = run.client.peer.request("fs.write", params, { signal: controller.signal });
    await run.client.peer.request("ping", {});
    controller.abort();
    await expect(written).rejects.toMatchObject({ code: "CANCELLED" });
    await run.client.peer.request("ping", {});
    const again = run.client.peer.request("fs.write", params);
    run.client.peer.sendFrame(encodeFrame(FRAME_KIND.eofIn, stream, 0));
    await expect(again).resolves.toEqual({ size: 0 });
  });

  test("after a release the connection's file streams are over", async () => {
    await using run = await setUp();
    const { client, scope, world } = run;
    await client.peer.request("vm.attach", { vm: scope.vmId, leaseId: "second", mode: "shared" });
    await run.write("/workspace/a", "x".repeat(100_000));
    const { stream, sink } = client.openStream(false);
    await client.peer.request("fs.read", {
      ...scope,
      path: "/workspace/a",
      stream,
      windowBytes: 4_096,
    });
    await sink.until(({ stdout }) => stdout.byteLength === 4_096);
    await client.peer.request("stream.close", { ...scope, stream });
    await client.peer.request("stream.close", { ...scope, stream });
    expect(sink.stdout.byteLength).toBe(4_096);
    expect(world.driver.vms).toHaveLength(1);
  });
});
