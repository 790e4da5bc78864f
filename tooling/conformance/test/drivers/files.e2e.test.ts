import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { AgentOs, isAgentOsError } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "../scenarios/world.ts";
import { DRIVERS_HERE } from "./each-driver.ts";

const world = useWorld();

async function errnoOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return "no error";
  } catch (error) {
    return isAgentOsError(error, "FILE_SYSTEM") ? error.details.errno : String(error);
  }
}

describe.each(DRIVERS_HERE)("files on %s", (driver) => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create({ driver, limits: { diskBytes: 64 * 1024 * 1024 } });
  });
  afterAll(() => os.dispose());

  test("[files.operations] each operation does what Node's does", async () => {
    const { fs } = os;
    await fs.mkdir("/workspace/a/b", { recursive: true });
    await fs.writeFile("/workspace/a/b/one", "1");
    await fs.appendFile("/workspace/a/b/one", "2");
    expect(await fs.readFile("/workspace/a/b/one", "utf8")).toBe("12");
    await fs.chmod("/workspace/a/b/one", 0o640);
    await fs.symlink("one", "/workspace/a/b/link");
    expect(await fs.readlink("/workspace/a/b/link")).toBe("one");
    expect(await fs.realpath("/workspace/a/b/link")).toBe("/workspace/a/b/one");
    expect((await fs.lstat("/workspace/a/b/link")).type).toBe("symlink");
    expect(await fs.stat("/workspace/a/b/link")).toMatchObject({
      type: "file",
      size: 2,
      mode: 0o640,
    });
    await fs.copy("/workspace/a", "/workspace/c", { recursive: true });
    expect(await fs.readdir("/workspace/c/b")).toEqual(["link", "one"]);
    expect((await fs.lstat("/workspace/c/b/link")).type).toBe("symlink");
    await fs.rename("/workspace/c/b/one", "/workspace/c/b/two");
    await fs.truncate("/workspace/c/b/two", 1);
    expect(await fs.readFile("/workspace/c/b/two", "utf8")).toBe("1");
    expect(await fs.exists("/workspace/c/b/one")).toBe(false);
    await fs.rm("/workspace/c", { recursive: true });
    expect(await fs.exists("/workspace/c")).toBe(false);
    await fs.rm("/workspace/c", { force: true });
    const entries = await fs.readdir("/workspace/a/b", { withFileTypes: true });
    expect(entries).toEqual([
      { name: "link", type: "symlink" },
      { name: "one", type: "file" },
    ]);
    expect((await os.exec("cat a/b/link; ls a/b")).stdout).toBe("12link\none\n");
  });

  test("[files.errors] errors carry Node's errno, and leave everything as it was", async () => {
    const { fs } = os;
    await fs.writeFile("/workspace/file", "x");
    expect(await errnoOf(fs.readFile("/workspace/none"))).toBe("ENOENT");
    expect(await errnoOf(fs.readdir("/workspace/file"))).toBe("ENOTDIR");
    expect(await errnoOf(fs.readFile("/workspace"))).toBe("EISDIR");
    expect(await errnoOf(fs.mkdir("/workspace/file"))).toBe("EEXIST");
    expect(await errnoOf(fs.mkdir("/workspace/file/x", { recursive: true }))).toBe("ENOTDIR");
    expect(await errnoOf(fs.writeFile("/usr/x", "x"))).toMatch(/^(EROFS|EACCES)$/);
    expect(await errnoOf(fs.writeFile("/workspace/none/x", "x"))).toBe("ENOENT");
    expect(await errnoOf(fs.writeFile("/workspace/file", "y", { flag: "wx" }))).toBe("EEXIST");
    expect(await errnoOf(fs.rm("/workspace/none"))).toBe("ENOENT");
    await fs.mkdir("/workspace/full");
    await fs.writeFile("/workspace/full/x", "x");
    expect(await errnoOf(fs.rm("/workspace/full"))).toMatch(/^(EISDIR|ENOTEMPTY)$/);
    expect(await errnoOf(fs.rename("/workspace/none", "/workspace/other"))).toBe("ENOENT");
    expect(await errnoOf(fs.rename("/workspace/full", "/workspace/full/in"))).toBe("EINVAL");
    expect(await errnoOf(fs.readlink("/workspace/file"))).toBe("EINVAL");
    await os.exec("ln -s loop loop");
    expect(await errnoOf(fs.readFile("/workspace/loop"))).toBe("ELOOP");
    expect(await fs.readFile("/workspace/file", "utf8")).toBe("x");
  });

  test("[files.streams] files are streamed both ways", async () => {
    const chunk = new Uint8Array(65_536).fill(7);
    const writer = os.fs.writeStream("/workspace/stream").getWriter();
    for (let index = 0; index < 100; index += 1) await writer.write(chunk);
    await writer.close();
    expect((await os.fs.stat("/workspace/stream")).size).toBe(6_553_600);
    let bytes = 0;
    for await (const part of os.fs.readStream("/workspace/stream", { start: 100 })) {
      expect(part.every((byte) => byte === 7)).toBe(true);
      bytes += part.byteLength;
    }
    expect(bytes).toBe(6_553_500);
  });

  test("[files.tree] a tree goes in and out with modes and links", async () => {
    const source = join(world.directory, `tree-${driver}`);
    mkdirSync(join(source, "deep/er"), { recursive: true });
    writeFileSync(join(source, "deep/er/run.sh"), "#!/bin/sh\necho ran\n");
    chmodSync(join(source, "deep/er/run.sh"), 0o755);
    writeFileSync(join(source, "na\u00efve name"), "text");
    symlinkSync("deep/er/run.sh", join(source, "link"));
    await os.fs.upload(source, "/workspace/tree");
    const cwd = "/workspace/tree";
    expect((await os.exec("./link", { cwd })).stdout).toBe("ran\n");
    await os.exec("echo more >> 'na\u00efve name'; ln -s /etc/passwd out", { cwd });
    const back = join(world.directory, `back-${driver}`);
    await os.fs.download("/workspace/tree", back);
    expect(statSync(join(back, "deep/er/run.sh")).mode & 0o777).toBe(0o755);
    expect(readFileSync(join(back, "na\u00efve name"), "utf8")).toBe("textmore\n");
    expect(readlinkSync(join(back, "link"))).toBe("deep/er/run.sh");
    expect(lstatSync(join(back, "out")).isSymbolicLink()).toBe(true);
  });

  test("[limits.disk] a full disk is ENOSPC, and what is there stays", async () => {
    await os.fs.writeFile("/workspace/kept", "kept");
    const most = new Uint8Array(70 * 1024 * 1024);
    expect(await errnoOf(os.fs.writeFile("/workspace/big", most))).toBe("ENOSPC");
    await os.fs.rm("/workspace/big", { force: true });
    expect((await os.exec("cat kept; echo more > other; cat other")).stdout).toBe("keptmore\n");
  });
});
