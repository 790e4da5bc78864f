import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, isAgentOsError } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

const world = useWorld();

const errnoOf = (attempt: Promise<unknown>): Promise<string | undefined> =>
  attempt.then(
    () => "no error",
    (error: unknown) => (isAgentOsError(error, "FILE_SYSTEM") ? error.errno : String(error)),
  );

describe("files, mounts and the image", () => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create();
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
    await fs.writeFile("/workspace/empty", "");
    expect(await fs.readFile("/workspace/empty", "utf8")).toBe("");
  });

  test("[files.errors] errors carry Node's errno", async () => {
    const { fs } = os;
    await fs.writeFile("/workspace/file", "x");
    expect(await errnoOf(fs.readFile("/workspace/none"))).toBe("ENOENT");
    expect(await errnoOf(fs.readdir("/workspace/file"))).toBe("ENOTDIR");
    expect(await errnoOf(fs.readFile("/workspace"))).toBe("EISDIR");
    expect(await errnoOf(fs.mkdir("/workspace/file"))).toBe("EEXIST");
    expect(await errnoOf(fs.writeFile("/usr/x", "x"))).toMatch(/^(EROFS|EACCES)$/);
    expect(await errnoOf(fs.writeFile("/workspace/none/x", "x"))).toBe("ENOENT");
    expect(await errnoOf(fs.writeFile("/workspace/file", "y", { flag: "wx" }))).toBe("EEXIST");
    expect(await errnoOf(fs.rm("/workspace/none"))).toBe("ENOENT");
    await fs.mkdir("/workspace/full");
    await fs.writeFile("/workspace/full/x", "x");
    expect(await errnoOf(fs.rm("/workspace/full"))).toMatch(/^(EISDIR|ENOTEMPTY)$/);
    expect(await errnoOf(fs.rename("/workspace/none", "/workspace/other"))).toBe("ENOENT");
    expect(await errnoOf(fs.readlink("/workspace/file"))).toBe("EINVAL");
    await os.exec("ln -s loop loop; mkfifo fifo");
    expect(await errnoOf(fs.readFile("/workspace/loop"))).toBe("ELOOP");
    expect(await errnoOf(fs.readFile("/workspace/fifo"))).toBe("EINVAL");
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
    const source = join(world.directory, "tree");
    mkdirSync(join(source, "deep/er"), { recursive: true });
    writeFileSync(join(source, "deep/er/run.sh"), "#!/bin/sh\necho ran\n");
    chmodSync(join(source, "deep/er/run.sh"), 0o755);
    writeFileSync(join(source, "na\u00efve name"), "text");
    symlinkSync("deep/er/run.sh", join(source, "link"));
    await os.fs.upload(source, "/workspace/tree");
    expect((await os.exec("./link", { cwd: "/workspace/tree" })).stdout).toBe("ran\n");
    await os.exec("echo more >> 'na\u00efve name'; ln -s /etc/passwd out", {
      cwd: "/workspace/tree",
    });
    const back = join(world.directory, "back");
    await os.fs.download("/workspace/tree", back);
    expect(statSync(join(back, "deep/er/run.sh")).mode & 0o777).toBe(0o755);
    expect(readFileSync(join(back, "na\u00efve name"), "utf8")).toBe("textmore\n");
    expect(readlinkSync(join(back, "link"))).toBe("deep/er/run.sh");
    expect(lstatSync(join(back, "out")).isSymbolicLink()).toBe(true);
  });

  test("[mount.read-only] [mount.read-write] [mount.memory] host and memory mounts", async () => {
    const source = mkdtempSync(join(tmpdir(), "aos-mount-"));
    writeFileSync(join(source, "from-host"), "host");
    // What root owns is mapped to the VM's user only when it is asked for by name.
    const mapOwner = process.getuid?.() === 0;
    try {
      await using other = await AgentOs.create({
        mounts: [
          { kind: "host", source, target: "/mnt/ro", mapOwner },
          { kind: "host", source, target: "/mnt/rw", readOnly: false, mapOwner },
          { kind: "memory", target: "/mnt/memory", sizeBytes: 1024 * 1024 },
        ],
      });
      const { stdout, stderr } = await other.exec(
        "cat /mnt/ro/from-host; touch /mnt/ro/x; echo vm > /mnt/rw/from-vm; stat -c ' %U' /mnt/rw/from-host; head -c 2000000 /dev/zero > /mnt/memory/big",
      );
      expect(stdout).toBe("host agent\n");
      expect(stderr).toContain("Read-only file system");
      expect(stderr).toContain("No space left on device");
      expect(readFileSync(join(source, "from-vm"), "utf8")).toBe("vm\n");
      expect(statSync(join(source, "from-vm")).uid).toBe(process.getuid?.());
    } finally {
      rmSync(source, { recursive: true });
    }
  });

  test("[image.host] the host image has what a program expects", async () => {
    const { stdout, exitCode } = await os.exec(`set -e
      pwd; echo $HOME; whoami; cat /etc/hostname; ls -d /usr/bin/env /etc/ssl/certs /etc/nsswitch.conf
      getent hosts localhost | head -1 | grep -c localhost
      touch /tmp/x ~/x /workspace/x /var/tmp/x
      node -p 'process.execPath'`);
    expect(exitCode).toBe(0);
    expect(stdout.split("\n").slice(0, 3)).toEqual(["/workspace", "/home/agent", "agent"]);
    expect(stdout.trim().endsWith("/opt/agentos/bin/node")).toBe(true);
  });
});
