import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createHash, randomBytes } from "node:crypto";
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ListReader, TreeReader, type TreeRecord, writeTree } from "@agentos/protocol";

import { canRunAgent, startAgent, type Agent } from "./agent-harness.ts";
import { runCommand } from "./agent-run.ts";

const name = (text: string): Buffer => Buffer.from(text, "latin1");
const attributes = { mode: 0o644, mtimeMs: 1_700_000_000_000 };
const directory = writeTree.directory(name(""), { ...attributes, mode: 0o755 });
const file = (called: string, content: string): Buffer =>
  Buffer.concat([
    writeTree.file(name(called), attributes, content.length),
    writeTree.piece(0, content.length),
    name(content),
    writeTree.fileEnd,
  ]);
const tree = (...parts: Buffer[]): Buffer =>
  Buffer.concat([directory, ...parts, writeTree.up, writeTree.end]);

const recordsOf = (stream: Buffer): TreeRecord[] => [...new TreeReader().push(stream)];

describe.runIf(canRunAgent)("trees of the agent", () => {
  let agent: Agent;
  let folder: string;
  beforeAll(async () => {
    agent = await startAgent();
    folder = await mkdtemp(join(tmpdir(), "vmd-trees-"));
  }, 180_000);
  afterAll(async () => {
    // What was unpacked without a right to write is no ordinary user's to remove.
    await runCommand(agent.link, ["chmod", "-R", "u+rwX", folder]);
    await agent[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const pack = (path: string) => runCommand(agent.link, ["pack", path], { builtin: true });
  const list = (path: string) => runCommand(agent.link, ["list", path], { builtin: true });
  const unpack = (path: string, input: Buffer) =>
    runCommand(agent.link, ["unpack", path], { builtin: true, stdin: true, input });
  /** What it says on stderr, and where it stopped. */
  const failure = async (run: ReturnType<typeof unpack>): Promise<string> => {
    const { code, stderr } = await run;
    expect(code).toBe(1);
    return stderr.toString();
  };

  it("lists what is below a directory, each with its facts, but for what is left out", async () => {
    const top = join(folder, "listed");
    await mkdir(join(top, "deep/er"), { recursive: true });
    await mkdir(join(top, "out/of/it"), { recursive: true });
    await writeFile(join(top, "deep/er/file"), "12345");
    await chmod(join(top, "deep/er/file"), 0o640);
    await utimes(join(top, "deep/er/file"), 1_600_000_000, 1_600_000_000);
    await symlink("deep/er", join(top, "link"));
    const args = ["list", top, join(top, "out/of"), `${top}x/deep`];
    const { code, stdout } = await runCommand(agent.link, args, { builtin: true });
    const reader = new ListReader();
    const listed = reader.push(stdout).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    expect([code, reader.hasEnded]).toEqual([0, true]);
    expect(listed.map(({ type, path, target }) => [type, path, target])).toEqual([
      ["directory", "deep", undefined],
      ["directory", "deep/er", undefined],
      ["file", "deep/er/file", undefined],
      ["symlink", "link", "deep/er"],
      ["directory", "out", undefined],
    ]);
    const { ctimeMs } = await lstat(join(top, "deep/er/file"));
    expect(listed[2]).toMatchObject({ mode: 0o640, size: 5, mtimeMs: 1_600_000_000_000 });
    expect(listed[2]?.ctimeMs).toBeCloseTo(ctimeMs, 1);
  });

  it("says the SHA-256 of short files, where it is asked to", async () => {
    const top = join(folder, "digests");
    await mkdir(top);
    const lengths = [0, 1, 55, 56, 63, 64, 65, 119, 120, 65_536, 65_537, 1_048_576];
    const contents = lengths.map((length) => randomBytes(length));
    for (const [at, content] of contents.entries()) await writeFile(join(top, `${at}`), content);
    await writeFile(join(top, "long"), Buffer.alloc(1_048_577));
    const { stdout } = await runCommand(agent.link, ["list", top, "digest"], { builtin: true });
    const listed = new Map(new ListReader().push(stdout).map(({ path, digest }) => [path, digest]));
    expect(listed.get("long")).toBeUndefined();
    for (const [at, content] of contents.entries())
      expect(listed.get(`${at}`)).toBe(createHash("sha256").update(content).digest("hex"));
  });

  it("lists no file, nothing that is not there, and nothing too deep", async () => {
    const top = join(folder, "unlisted");
    await mkdir(top);
    await writeFile(join(top, "file"), "");
    expect(await failure(list(join(top, "file")))).toBe("20 open ");
    expect(await failure(list(join(top, "none")))).toBe("2 open ");
    await mkdir(join(top, ...Array.from({ length: 300 }, () => "d")), { recursive: true });
    expect(await failure(list(top))).toMatch(/^40 open (d\/){255}d/);
  });

  it("packs a tree and unpacks it to the same", async () => {
    const from = join(folder, "from");
    await mkdir(join(from, "deep/er"), { recursive: true });
    const content = randomBytes(700_000);
    await writeFile(join(from, "deep/big"), content);
    await writeFile(join(from, "deep/er/set"), "x");
    await chmod(join(from, "deep/er/set"), 0o4755);
    await link(join(from, "deep/big"), join(from, "same"));
    await symlink("deep/big", join(from, "link"));
    await writeFile(Buffer.from(`${from}/na\xefve`, "latin1"), "");
    await truncate(join(from, "deep/er/set"), 50_000_000);
    await utimes(join(from, "deep/big"), 1_700_000_000, 1_700_000_000);
    await chmod(join(from, "deep/er"), 0o555);
    await utimes(join(from, "deep/er"), 1_600_000_000, 1_600_000_000);
    const packed = await pack(from);
    expect([packed.code, packed.stderr.toString()]).toEqual([0, ""]);
    // Nothing of the hole.
    expect(packed.stdout.length).toBeLessThan(1_000_000);
    const to = join(folder, "new/to");
    const unpacked = await unpack(to, packed.stdout);
    expect([unpacked.code, unpacked.stderr.toString()]).toEqual([0, ""]);
    expect((await readFile(join(to, "same"))).equals(content)).toBe(true);
    expect((await stat(join(to, "same"))).ino).toBe((await stat(join(to, "deep/big"))).ino);
    expect((await stat(join(to, "same"))).mtimeMs).toBe(1_700_000_000_000);
    expect(await readlink(join(to, "link"))).toBe("deep/big");
    const set = await stat(join(to, "deep/er/set"));
    expect([set.mode & 0o7777, set.size, set.blocks < 100]).toEqual([0o755, 50_000_000, true]);
    const er = await stat(join(to, "deep/er"));
    expect([er.mode & 0o777, er.mtimeMs]).toEqual([0o555, 1_600_000_000_000]);
    const names = await readdir(to, { encoding: "buffer" });
    expect(names.map((entry) => entry.toString("latin1")).toSorted()).toEqual([
      "deep",
      "link",
      "na\xefve",
      "same",
    ]);
    // Over itself, too: what is there is replaced, and stays whole until then.
    expect((await unpack(to, packed.stdout)).code).toBe(0);
  });

  it("packs what is neither file, directory nor link as left out", async () => {
    const from = join(folder, "odd");
    await mkdir(from);
    await runCommand(agent.link, ["mkfifo", join(from, "pipe")]);
    const records = recordsOf((await pack(from)).stdout);
    expect(records).toContainEqual({ kind: "skipped", name: name("pipe"), type: "p" });
    expect(await failure(pack(join(from, "pipe")))).toBe("22 open ");
    expect(await failure(pack(join(from, "none")))).toBe("2 stat ");
  });

  it("replaces links and files in its way, and never goes through them", async () => {
    const to = join(folder, "taken");
    const outside = join(folder, "outside");
    await mkdir(outside);
    await mkdir(to);
    await writeFile(join(outside, "file"), "mine");
    await symlink(outside, join(to, "sub"));
    await symlink(join(outside, "file"), join(to, "file"));
    const stream = tree(
      file("file", "theirs"),
      writeTree.directory(name("sub"), attributes),
      file("file", "theirs"),
      writeTree.up,
    );
    expect((await unpack(to, stream)).code).toBe(0);
    expect(await readFile(join(outside, "file"), "utf8")).toBe("mine");
    expect(await readdir(outside)).toEqual(["file"]);
    expect((await lstat(join(to, "file"))).isFile()).toBe(true);
  });

  it.each([
    ["a slash", tree(file("a/b", "x"))],
    ["dots", tree(file("..", "x"))],
    ["an absolute hard link", tree(writeTree.hardLink(name("h"), name("/etc/passwd")))],
    ["a hard link that leads up", tree(writeTree.hardLink(name("h"), name("../outside/file")))],
    [
      "a hard link through a link",
      tree(
        writeTree.link(name("l"), name("..")),
        writeTree.hardLink(name("h"), name("l/outside/file")),
      ),
    ],
    [
      "a piece outside its file",
      Buffer.concat([directory, writeTree.file(name("f"), attributes, 1), writeTree.piece(9, 9)]),
    ],
    ["a top that is a link", writeTree.link(name(""), name("/etc"))],
    ["an unknown kind", Buffer.concat([directory, Buffer.of(1)])],
    ["something after the top", Buffer.concat([directory, writeTree.up, directory])],
  ])("refuses %s", async (_what, stream) => {
    const to = join(folder, `hostile-${randomBytes(4).toString("hex")}`);
    expect(await failure(unpack(to, stream))).toMatch(/^74 stream /);
  });

  it("says where a stream was cut, and leaves nothing half", async () => {
    const whole = tree(
      file("a", "1"),
      writeTree.directory(name("d"), attributes),
      file("b", "12345678"),
    );
    const cut = whole.indexOf("1234") + 4;
    expect(await failure(unpack(join(folder, "cut"), whole.subarray(0, cut)))).toBe(
      "61 stream d/b",
    );
    expect(await readdir(join(folder, "cut/d"))).toEqual([]);
    expect(await readFile(join(folder, "cut/a"), "utf8")).toBe("1");
  });

  it("takes any bytes and stays well", async () => {
    for (let round = 0; round < 20; round += 1) {
      const whole = tree(
        file("a", "1"),
        writeTree.link(name("l"), name("a")),
        file("b", "12345678"),
      );
      whole[Math.floor((round / 20) * whole.length)] = randomBytes(1)[0] ?? 0;
      const { code, cause } = await unpack(join(folder, `noise-${round}`), whole);
      expect([0, 1]).toContain(code);
      expect(cause).toBe(0);
    }
    await agent.link.ping();
  });

  it("refuses what is no transfer", async () => {
    expect(await failure(runCommand(agent.link, ["pack"], { builtin: true }))).toBe("22 args ");
    expect(
      (await runCommand(agent.link, ["pack", "/"], { builtin: true, logged: true })).fail,
    ).toMatchObject({ errno: 22 });
  });
});
