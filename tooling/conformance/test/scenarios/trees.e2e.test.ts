import { randomBytes } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { AgentOs, isAgentOsError } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

const world = useWorld();
const FILES = 2_000;
const MIB = 1024 * 1024;

const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => "no error",
    (error: unknown) => (isAgentOsError(error) ? error.code : String(error)),
  );

/** The bytes on disk of everything below. */
function treeOf(directory: string): string {
  const lines = readdirSync(directory, { recursive: true, encoding: "utf8" }).map((path) => {
    const stat = statSync(join(directory, path));
    return `${path} ${stat.mode & 0o7777} ${stat.isFile() ? stat.size : "d"} ${Math.floor(stat.mtimeMs)}`;
  });
  return lines.toSorted().join("\n");
}

describe("trees", () => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create({ limits: { diskBytes: 48 * MIB } });
  });
  afterAll(() => os.dispose());

  test("[trees.many] thousands of files go in and out as they are", async () => {
    const source = join(world.directory, "many");
    for (let index = 0; index < FILES; index += 1) {
      const directory = join(source, `d${index % 40}`);
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, `f${index}`), `${index}`);
    }
    utimesSync(join(source, "d7"), 1_500_000_000, 1_500_000_000);
    const { files, bytes } = await os.fs.upload(source, "/workspace/many");
    expect(files).toBe(FILES);
    expect((await os.exec("find many -type f | wc -l")).stdout.trim()).toBe(`${FILES}`);
    const back = join(world.directory, "many-back");
    expect(await os.fs.download("/workspace/many", back)).toMatchObject({ files, bytes });
    expect(treeOf(back)).toBe(treeOf(source));
    await os.fs.rm("/workspace/many", { recursive: true });
  });

  test("[trees.kept] times, hard links and holes are kept, set-id bits dropped", async () => {
    const source = join(world.directory, "kept");
    mkdirSync(source);
    writeFileSync(join(source, "one"), "1");
    linkSync(join(source, "one"), join(source, "two"));
    writeFileSync(join(source, "holes"), "");
    truncateSync(join(source, "holes"), 256 * MIB);
    await os.fs.upload(source, "/workspace/kept");
    const { stdout } = await os.exec(
      "stat -c %h kept/one; du -k kept/holes | cut -f1; stat -c %s kept/holes",
    );
    expect(stdout.trim().split("\n")).toEqual(["2", "0", `${256 * MIB}`]);
    const back = join(world.directory, "kept-back");
    await os.fs.download("/workspace/kept", back);
    expect(statSync(join(back, "two")).ino).toBe(statSync(join(back, "one")).ino);
    expect(statSync(join(back, "holes")).blocks).toBeLessThan(100);
  });

  test("[trees.ignore] rules leave out what they match, on both ways", async () => {
    const source = join(world.directory, "rules");
    mkdirSync(join(source, "node_modules/x"), { recursive: true });
    writeFileSync(join(source, ".gitignore"), "*.log\n!kept.log\n");
    for (const path of ["a.log", "kept.log", "node_modules/x/y", "src"])
      writeFileSync(join(source, path), path);
    await os.fs.upload(source, "/workspace/rules", { gitignore: true, ignore: ["node_modules/"] });
    expect(await os.fs.readdir("/workspace/rules")).toEqual([".gitignore", "kept.log", "src"]);
    const back = join(world.directory, "rules-back");
    await os.fs.download("/workspace/rules", back, { ignore: ["*.log"] });
    expect(readdirSync(back).toSorted()).toEqual([".gitignore", "src"]);
  });

  test("[trees.hostile] what a guest makes of names, links and devices stays below the target", async () => {
    const secret = join(world.directory, "secret");
    writeFileSync(secret, "the host's");
    const hostile = `
      mkdir -p h/sub && cd h
      ln -s / root; ln -s ../../.. up; ln -s ${secret} leaf; ln -s nowhere dangling; ln -s loop loop
      ln -s /proc/self/root/etc/passwd magic
      mkfifo pipe; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
      touch "$(printf 'new\\nline')" -- '-rf' '..hidden' '\\back'
      python3 -c 'import os; open(b"na\\xefve","w"); os.truncate(os.open("bomb", os.O_CREAT|os.O_RDWR), 1<<40)'
    `;
    expect((await os.exec(hostile)).stderr).toBe("");
    const back = join(world.directory, "hostile", "inner", "back");
    const { skipped } = await os.fs.download("/workspace/h", back);
    expect(skipped.map(({ type }) => type).toSorted()).toEqual(["fifo", "socket"]);
    // Once more over its own links: none is followed.
    await os.exec(
      "cd h && for l in root up leaf; do rm $l; done; mkdir root up; echo theirs > leaf; echo x > root/x; echo x > up/x",
    );
    await os.fs.download("/workspace/h", back);
    expect(readFileSync(secret, "utf8")).toBe("the host's");
    expect(existsSync(join(world.directory, "hostile", "x"))).toBe(false);
    expect(readFileSync(join(back, "leaf"), "utf8")).toBe("theirs\n");
    expect(readdirSync(join(back, "up"))).toEqual(["x"]);
    expect(statSync(join(back, "bomb")).blocks).toBeLessThan(100);
    expect(
      readdirSync(back, { encoding: "buffer" }).some((name) =>
        name.equals(Buffer.from("na\xefve", "latin1")),
      ),
    ).toBe(true);
    rmSync(back, { recursive: true });
  });

  test("[trees.interrupted] a full disk, a stop and the end of the VM are each told", async () => {
    const source = join(world.directory, "large");
    mkdirSync(source);
    for (let index = 0; index < 20; index += 1)
      writeFileSync(join(source, `f${index}`), randomBytes(3 * MIB));
    const full = await os.fs.upload(source, "/workspace/large").then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(full).toMatchObject({ code: "FILE_SYSTEM", errno: "ENOSPC" });
    await os.fs.rm("/workspace/large", { recursive: true });
    await using other = await AgentOs.create();
    const stop = new AbortController();
    const stopped = other.fs.upload(source, "/workspace/large", {
      signal: stop.signal,
      // Half way.
      exclude: (path) => {
        if (path === "f5") stop.abort();
        return false;
      },
    });
    expect(await codeOf(stopped)).toBe("CANCELLED");
    const ended = other.fs.upload(source, "/workspace/large", {
      exclude: (path) => {
        if (path === "f5") void other.dispose();
        return false;
      },
    });
    expect(await codeOf(ended)).toMatch(/^(VM_ENDED|DISPOSED|TRANSFER_INTERRUPTED)$/);
    rmSync(source, { recursive: true });
  });

  test("[trees.errors] a path that can't be is an error that names it", async () => {
    const here = join(world.directory, "none");
    await expect(os.fs.download("/workspace/none", here)).rejects.toMatchObject({
      errno: "ENOENT",
    });
    await expect(os.fs.upload(here, "/workspace/x")).rejects.toMatchObject({ code: "ENOENT" });
    writeFileSync(here, "x");
    await expect(os.fs.upload(here, "/usr/x")).rejects.toMatchObject({ code: "FILE_SYSTEM" });
    await expect(os.fs.upload(here, "relative")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await os.fs.writeFile("/workspace/file", "x");
    await expect(os.fs.upload(world.directory, "/workspace/file/x")).rejects.toMatchObject({
      errno: "ENOTDIR",
    });
  });
});
