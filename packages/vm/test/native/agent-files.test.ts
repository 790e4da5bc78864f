import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

import { AgentFiles, Flag, Op } from "./agent-files.ts";
import { canRunAgent, startAgent, type Agent } from "./agent-harness.ts";
import { readFail, type Failure } from "./agent-link.ts";
import { runCommand } from "./agent-run.ts";
import { fieldOf, Kind } from "./frame-codec.ts";

const { errno, signals } = constants;
const sha = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

const fails = (number: number, step: string): Failure => ({ errno: number, step });

describe.runIf(canRunAgent)("files of the agent", () => {
  let agent: Agent;
  let files: AgentFiles;
  let folder: string;
  beforeAll(async () => {
    agent = await startAgent();
    files = new AgentFiles(agent);
    folder = await realpath(await mkdtemp(join(tmpdir(), "vmd-files-")));
  }, 180_000);
  afterAll(async () => {
    await runCommand(agent.link, ["rm", "-rf", folder]);
    await agent[Symbol.asyncDispose]();
  });

  const at = (name: string) => join(folder, name);

  const done = Buffer.alloc(0);

  it("tells what a file is, followed and not", async () => {
    await writeFile(at("plain"), "12345", { mode: 0o640 });
    await utimes(at("plain"), 1_000_000_000.25, 1_100_000_000.5);
    await symlink("plain", at("link"));
    const result = await files.ask(Op.stat, at("link"));
    if (!Buffer.isBuffer(result)) throw new Error("no stat");
    const bytes = fieldOf(result, 80);
    const real = await stat(at("plain"), { bigint: true });
    expect(bytes.length).toBe(72);
    expect(String.fromCharCode(bytes.readUInt8(0))).toBe("f");
    expect(bytes.readUInt32LE(4)).toBe(Number(real.mode));
    expect(bytes.readBigUInt64LE(8)).toBe(5n);
    expect(bytes.readBigUInt64LE(16)).toBe(real.ino);
    expect(bytes.readUInt32LE(24)).toBe(1);
    expect(bytes.readBigUInt64LE(40)).toBe(real.mtimeNs);
    expect(bytes.readBigUInt64LE(48)).toBe(real.atimeNs);
    expect(bytes.readBigUInt64LE(56)).toBe(real.ctimeNs);
    expect(bytes.readBigUInt64LE(64)).toBe(real.dev);
    const link = await files.ask(Op.lstat, at("link"));
    expect(Buffer.isBuffer(link) && fieldOf(link, 80).toString("latin1", 0, 1)).toBe("l");
    expect(await files.ask(Op.stat, at("none"))).toEqual(fails(errno.ENOENT, "stat"));
    expect(await files.ask(Op.stat, "relative")).toMatchObject({ errno: errno.EINVAL });
    expect(await files.ask(Op.stat, `/${"x".repeat(5000)}`)).toMatchObject({
      errno: errno.ENAMETOOLONG,
    });
    expect(await files.ask(99, at("plain"))).toMatchObject({ errno: errno.EINVAL });
  });

  it("makes directories, also nested ones", async () => {
    expect(await files.ask(Op.mkdir, at("made"), { mode: 0o700 })).toEqual(done);
    expect((await stat(at("made"))).mode & 0o777).toBe(0o700);
    expect(await files.ask(Op.mkdir, at("made"))).toEqual(fails(errno.EEXIST, "mkdir"));
    expect(await files.ask(Op.mkdir, at("a/b/c"))).toEqual(fails(errno.ENOENT, "mkdir"));
    expect(await files.ask(Op.mkdir, at("a/b/c"), { flags: Flag.recursive })).toEqual(done);
    expect(await files.ask(Op.mkdir, at("a/b/c"), { flags: Flag.recursive })).toEqual(done);
    await writeFile(at("a/file"), "");
    expect(await files.ask(Op.mkdir, at("a/file"), { flags: Flag.recursive })).toEqual(
      fails(errno.EEXIST, "mkdir"),
    );
    expect(await files.ask(Op.mkdir, at("a/file/x/y"), { flags: Flag.recursive })).toEqual(
      fails(errno.ENOTDIR, "mkdir"),
    );
  });

  it("renames, links, changes modes, lengths and times", async () => {
    await writeFile(at("one"), "content");
    expect(await files.ask(Op.rename, at("one"), { path2: at("two") })).toEqual(done);
    expect(await files.ask(Op.rename, at("one"), { path2: at("two") })).toEqual(
      fails(errno.ENOENT, "rename"),
    );
    expect(await files.ask(Op.symlink, at("to-two"), { path2: "two" })).toEqual(done);
    expect(await readlink(at("to-two"))).toBe("two");
    const content = await files.ask(Op.readlink, at("to-two"));
    expect(Buffer.isBuffer(content) && fieldOf(content, 61).toString()).toBe("two");
    expect(await files.ask(Op.readlink, at("two"))).toEqual(fails(errno.EINVAL, "readlink"));
    const real = await files.ask(Op.realpath, at("a/../to-two"));
    expect(Buffer.isBuffer(real) && fieldOf(real, 61).toString()).toBe(at("two"));
    expect(await files.ask(Op.chmod, at("two"), { mode: 0o604 })).toEqual(done);
    expect((await stat(at("two"))).mode & 0o777).toBe(0o604);
    expect(await files.ask(Op.truncate, at("two"), { length: 3 })).toEqual(done);
    expect(await readFile(at("two"), "utf8")).toBe("con");
    expect(
      await files.ask(Op.utimes, at("two"), {
        start: 1_500_000_000_123_456_789n,
        length: 1_600_000_000_987_654_321n,
      }),
    ).toEqual(done);
    const times = await stat(at("two"), { bigint: true });
    expect([times.atimeNs, times.mtimeNs]).toEqual([
      1_500_000_000_123_456_789n,
      1_600_000_000_987_654_321n,
    ]);
  });

  it("removes files, trees and nothing beyond a symlink", async () => {
    await mkdir(at("tree/x/y"), { recursive: true });
    await mkdir(at("kept"));
    await writeFile(at("kept/file"), "kept");
    await symlink(at("kept"), at("tree/x/link"));
    await symlink(at("kept"), at("kept-link"));
    for (let i = 0; i < 3000; i++) await writeFile(at(`tree/x/file-${i}`), "");
    expect(await files.ask(Op.rm, at("tree"))).toEqual(fails(errno.EISDIR, "rm"));
    expect(await files.ask(Op.rm, at("nothing"))).toEqual(fails(errno.ENOENT, "rm"));
    expect(await files.ask(Op.rm, at("nothing"), { flags: Flag.force })).toEqual(done);
    expect(await files.ask(Op.rm, at("tree"), { flags: Flag.recursive })).toEqual(done);
    expect(existsSync(at("tree"))).toBe(false);
    expect(await files.ask(Op.rm, at("kept-link/"), { flags: Flag.recursive })).toEqual(done);
    expect(existsSync(at("kept-link"))).toBe(false);
    expect(await readdir(at("kept"))).toEqual(["file"]);
    expect(await files.ask(Op.rm, at("kept/file"))).toEqual(done);
    expect(await files.ask(Op.rm, "/", { flags: Flag.recursive | Flag.force })).toEqual(
      fails(errno.EBUSY, "rm"),
    );
  });

  it("removes a tree that is deeper than any path", async () => {
    const script = `cd '${folder}' && perl -e 'mkdir "deep"; chdir "deep"; for (1..3000) { mkdir "d" x 20; chdir "d" x 20 } open F, ">f"'`;
    expect((await runCommand(agent.link, ["sh", "-c", script])).code).toBe(0);
    expect(await files.ask(Op.rm, at("deep"), { flags: Flag.recursive })).toEqual(done);
    expect(existsSync(at("deep"))).toBe(false);
  });

  it("copies files", async () => {
    await writeFile(at("source"), randomBytes(300_000), { mode: 0o751 });
    await symlink("source", at("source-link"));
    expect(await files.ask(Op.copy, at("source"), { path2: at("copy") })).toEqual(done);
    expect(sha(await readFile(at("copy")))).toBe(sha(await readFile(at("source"))));
    expect((await stat(at("copy"))).mode & 0o777).toBe(0o751);
    await writeFile(at("longer"), randomBytes(400_000));
    expect(await files.ask(Op.copy, at("source-link"), { path2: at("longer") })).toEqual(done);
    expect(sha(await readFile(at("longer")))).toBe(sha(await readFile(at("source"))));
    expect(
      await files.ask(Op.copy, at("source"), { path2: at("copy"), flags: Flag.noOverwrite }),
    ).toEqual(fails(errno.EEXIST, "copy"));
    expect(await files.ask(Op.copy, at("source"), { path2: at("source") })).toEqual(
      fails(errno.EINVAL, "copy"),
    );
    expect((await stat(at("source"))).size).toBe(300_000);
    expect(await files.ask(Op.copy, folder, { path2: at("x") })).toEqual(
      fails(errno.EISDIR, "copy"),
    );
    expect(await files.ask(Op.copy, at("none"), { path2: at("x") })).toEqual(
      fails(errno.ENOENT, "copy"),
    );
    expect(await files.ask(Op.copy, "/proc/self/status", { path2: at("status") })).toEqual(done);
    expect(await readFile(at("status"), "utf8")).toContain("Pid:");
  });

  it("copies trees with their links, never through one, never into themselves", async () => {
    await mkdir(at("from/sub"), { recursive: true });
    await mkdir(at("outside"));
    await writeFile(at("from/sub/file"), "text");
    await symlink("/nowhere", at("from/dangling"));
    await symlink(at("outside"), at("from/to-outside"));
    await chmod(at("from/sub"), 0o550);
    expect(
      await files.ask(Op.copy, at("from"), { path2: at("to"), flags: Flag.recursive }),
    ).toEqual(done);
    expect(await readFile(at("to/sub/file"), "utf8")).toBe("text");
    expect(await readlink(at("to/dangling"))).toBe("/nowhere");
    expect((await stat(at("to/sub"))).mode & 0o777).toBe(0o550);
    expect((await lstat(at("to/to-outside"))).isSymbolicLink()).toBe(true);
    // A link planted in the target is replaced or refused, not followed.
    await mkdir(at("trap"));
    await symlink(at("outside"), at("trap/sub"));
    expect(
      await files.ask(Op.copy, at("from"), { path2: at("trap"), flags: Flag.recursive }),
    ).toEqual(fails(errno.ENOTDIR, "copy"));
    expect(await readdir(at("outside"))).toEqual([]);
    expect(
      await files.ask(Op.copy, at("from"), { path2: at("from/sub/inner"), flags: Flag.recursive }),
    ).toEqual(fails(errno.EINVAL, "copy"));
    expect(
      await files.ask(Op.copy, at("from"), { path2: at("from"), flags: Flag.recursive }),
    ).toEqual(fails(errno.EINVAL, "copy"));
  });

  it("cancels a job", async () => {
    await writeFile(at("huge"), "");
    await truncate(at("huge"), 1e12);
    const stream = files.request(Op.copy, at("huge"), { path2: "/dev/shm/vmd-agent-never/x" });
    expect(readFail(await agent.link.next(stream)).errno).toBe(errno.ENOENT);
    const busy = files.request(Op.copy, at("huge"), { path2: at("huge-copy") });
    // Before that there is nothing to remove; on a busy machine that takes a while.
    await expect.poll(() => existsSync(at("huge-copy")), { timeout: 15_000 }).toBe(true);
    agent.link.signal(busy, signals.SIGTERM);
    const frame = await agent.link.next(busy);
    expect(readFail(frame)).toEqual({ errno: errno.ECANCELED, step: "copy" });
    expect(await files.ask(Op.rm, at("huge-copy"))).toEqual(done);
  });

  it("reads 5,000 entries in small windows", async () => {
    await mkdir(at("many"));
    const names = Array.from({ length: 5000 }, (_, i) => `${"n".repeat(i % 200)}-${i}`);
    for (const name of names) await writeFile(at(`many/${name}`), "");
    await mkdir(at("many/dir"));
    await symlink("x", at("many/link"));
    const { bytes, first } = await files.readAll(Op.readdir, at("many"), { window: 4096 });
    expect(fieldOf(first.payload, 80).toString("latin1", 0, 1)).toBe("d");
    const found: string[] = [];
    for (let i = 0; i < bytes.length; i += 3 + bytes.readUInt16LE(i + 1)) {
      const name = bytes.toString("utf8", i + 3, i + 3 + bytes.readUInt16LE(i + 1));
      found.push(`${String.fromCharCode(bytes.readUInt8(i))} ${name}`);
    }
    expect(found.toSorted()).toEqual(
      [...names.map((name) => `f ${name}`), "d dir", "l link"].toSorted(),
    );
    expect(await files.ask(Op.readdir, at("source"))).toEqual(fails(errno.ENOTDIR, "readdir"));
  }, 60_000);

  it("writes and reads 100 MiB", async () => {
    const content = randomBytes(104_857_600);
    const result = await files.write(at("big"), content, { window: 1_048_576 });
    expect(Buffer.isBuffer(result) && fieldOf(result, 64).readBigUInt64LE()).toBe(104_857_600n);
    const { bytes } = await files.readAll(Op.read, at("big"), { window: 1_048_576 });
    expect(sha(bytes)).toBe(sha(content));
    expect(await files.ask(Op.rm, at("big"))).toEqual(done);
  }, 60_000);

  it("reads ranges, empty files, and files of /proc", async () => {
    await writeFile(at("digits"), "0123456789");
    await writeFile(at("empty"), "");
    expect(await files.readText(at("digits"))).toBe("0123456789");
    expect(await files.readText(at("digits"), { start: 3, length: 4 })).toBe("3456");
    expect(await files.readText(at("digits"), { start: 8, length: 100 })).toBe("89");
    expect(await files.readText(at("digits"), { start: 100 })).toBe("");
    expect(await files.readText(at("empty"))).toBe("");
    expect(await files.readText("/proc/self/status")).toContain("Pid:");
  });

  it("stops at the window of a reader, and at its cancellation", async () => {
    const { link } = agent;
    const stream = files.request(Op.read, "/dev/zero", { window: 8192 });
    await link.expect(Kind.fileResult, stream);
    let received = 0;
    link.listen(
      stream,
      (frame) => (received += frame.kind === Kind.out ? frame.payload.length : 0),
    );
    await link.ping();
    await runCommand(link, ["sleep", "0.1"]);
    expect(received).toBe(8192);
    link.unlisten(stream);
    link.signal(stream, signals.SIGTERM);
    expect(readFail(await link.next(stream)).errno).toBe(errno.ECANCELED);
  });

  it("writes as asked: mode, start, append, exclusive, keep", async () => {
    const content = async (name: string) => readFile(at(name), "utf8");
    expect(
      Buffer.isBuffer(await files.write(at("w"), Buffer.from("abcdef"), { mode: 0o600 })),
    ).toBe(true);
    expect((await stat(at("w"))).mode & 0o777).toBe(0o600);
    await files.write(at("w"), Buffer.from("XY"), { start: 2, flags: Flag.keep });
    expect(await content("w")).toBe("abXYef");
    const appended = await files.write(at("w"), Buffer.from("++"), { flags: Flag.append });
    expect(await content("w")).toBe("abXYef++");
    expect(Buffer.isBuffer(appended) && fieldOf(appended, 64).readBigUInt64LE()).toBe(8n);
    await files.write(at("w"), Buffer.from("new"));
    expect(await content("w")).toBe("new");
    expect(await files.write(at("w"), Buffer.from("x"), { flags: Flag.exclusive })).toEqual(
      fails(errno.EEXIST, "write"),
    );
    expect(await files.write(at("none/x"), Buffer.from("x"))).toEqual(fails(errno.ENOENT, "write"));
    expect(await files.write(folder, Buffer.from("x"))).toEqual(fails(errno.EISDIR, "write"));
    expect(await files.write("/dev/full", Buffer.from("x"))).toEqual(fails(errno.ENOSPC, "write"));
    expect(Buffer.isBuffer(await files.write("/dev/null", randomBytes(100_000)))).toBe(true);
  });

  it("refuses what could block", async () => {
    const script = `mkfifo '${at("fifo")}'; perl -e 'use IO::Socket; IO::Socket::UNIX->new(Local => "${at("sock")}", Listen => 1)'`;
    await runCommand(agent.link, ["sh", "-c", script]);
    for (const name of ["fifo", "sock"]) {
      expect(await files.ask(Op.read, at(name))).toEqual(fails(errno.EINVAL, "read"));
      expect(await files.ask(Op.write, at(name))).toEqual(fails(errno.EINVAL, "write"));
      expect(await files.ask(Op.copy, at(name), { path2: at("x") })).toEqual(
        fails(errno.EINVAL, "copy"),
      );
    }
  });

  it("bounds the number of streams", async () => {
    const { link } = agent;
    const streams = Array.from({ length: 256 }, () => files.request(Op.write, at("shared")));
    expect(await files.ask(Op.write, at("shared"))).toEqual(fails(errno.EAGAIN, "table"));
    for (const stream of streams) link.release(stream);
    expect(Buffer.isBuffer(await files.write(at("shared"), Buffer.from("x")))).toBe(true);
  });
});
