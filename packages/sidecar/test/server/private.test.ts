import { spawn } from "node:child_process";
import { chmod, lstat, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { Sidecar } from "../../src/sidecar.ts";
import { RecordingLog, TestSidecar } from "../sidecar-harness.ts";
import { codeOf, openClient } from "../websocket-client.ts";

describe("who can reach a sidecar", () => {
  // Only root can become another user to try it.
  test.runIf(process.getuid?.() === 0)(
    "[S7] another uid cannot connect, by the directory nor by the socket itself",
    async () => {
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
    },
  );

  test("[S7] socket, discovery file and directories are the user's alone", async () => {
    await using world = await TestSidecar.start({ pool: "default" });
    const run = join(world.directory, "run");
    const { listen } = world.ready;
    if (listen.kind !== "unix") throw new Error("expected a unix socket by default");
    expect(await mode(listen.path)).toBe("600");
    expect(await mode(join(run, "sidecar.json"))).toBe("600");
    expect(await mode(run)).toBe("700");
    expect(await mode(join(world.directory, "state"))).toBe("700");
  });

  test("[S7] directories that others may enter, or that are none, are refused", async () => {
    const directory = await mkdtemp(join(tmpdir(), "sc-"));
    const attempt = (runtimeDirectory: string): Promise<unknown> =>
      codeOf(
        Sidecar.start({
          sidecarId: "s",
          stateDirectory: join(directory, "state"),
          runtimeDirectory,
          drivers: async () => [],
          log: new RecordingLog(),
        }),
      );
    await chmod(directory, 0o755);
    expect(await attempt(directory)).toMatchObject({
      code: "SIDECAR_START_FAILED",
      message: expect.stringContaining("expected mode 0700, it has 0755"),
    });
    expect(await attempt("/dev/null")).toMatchObject({ code: "SIDECAR_START_FAILED" });
    await rm(directory, { recursive: true });
  });

  test("[S8] a non-loopback address refuses to start and leaves nothing", async () => {
    for (const host of ["0.0.0.0", "::", "192.168.0.1", "example.test", "127.0.0.1.nip.io", ""]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const error = await codeOf(TestSidecar.start({ listen: { kind: "tcp", host, port: 0 } }));
      expect(error).toMatchObject({
        code: "SIDECAR_START_FAILED",
        message: expect.stringContaining("expected a loopback address"),
      });
    }
  });

  test("[S8] loopback is loopback, whatever the machine calls localhost", async () => {
    for (const host of ["localhost", "127.0.0.1"]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await using world = await TestSidecar.start({ listen: { kind: "tcp", host, port: 0 } });
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await using client = await openClient(world.ready.listen, world.ready.apiKey);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(client.peer.request("ping", {})).resolves.toEqual({});
    }
  });
});

async function mode(path: string): Promise<string> {
  return ((await lstat(path)).mode & 0o777).toString(8);
}

/** "connected", or the name of the error, for a process of that uid. */
async function connectAs(uid: number, path: string): Promise<string> {
  const script = `
    const socket = require("node:net").connect(process.argv[1]);
    socket.on("connect", () => { console.log("connected"); process.exit(); });
    socket.on("error", (error) => { console.log(error.code); process.exit(); });`;
  const child = spawn(process.execPath, ["-e", script, path], {
    uid,
    gid: uid,
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  await new Promise((resolve) => child.once("close", resolve));
  return output.trim();
}
