import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, isAgentOsError } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

useWorld();
/** Downloads into a directory whose entries a VM exchanges meanwhile. */
const ROUNDS = 100;
/** Writes to a path whose directory a program exchanges meanwhile, and how many of them at once. */
const WRITES = 10_000;
const AT_ONCE = 100;

/** Makes `d` a directory and a link out of the mount, in turns, as fast as it can. */
const EXCHANGE = `
  const { mkdirSync, renameSync, rmSync, symlinkSync } = require("node:fs");
  for (;;) {
    try {
      renameSync("d", "real");
      symlinkSync("../../outside", "d");
      rmSync("d", { force: true });
      renameSync("real", "d");
    } catch {
      try { rmSync("d", { recursive: true, force: true }); mkdirSync("d"); } catch {}
    }
  }
`;

const errorOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => "none",
    (error: unknown) => (isAgentOsError(error) ? error.code : String(error)),
  );

describe("hostile paths", () => {
  test("[S14] names that are odd stay names, and paths that can't be are refused whole", async () => {
    await using os = await AgentOs.create();
    const odd = ["..\\..\\x", "a\nb", "-rf", "é", "e\u0301", "x".repeat(255), " ", "%2e%2e%2f"];
    for (const name of odd) await os.fs.writeFile(`/workspace/${name}`, name);
    const names = await os.fs.readdir("/workspace");
    expect(names.toSorted()).toEqual(odd.toSorted());
    await os.fs.writeFile("/workspace/../../../tmp/up", "within");
    expect(await os.fs.readFile("/tmp/up", "utf8")).toBe("within");
    for (const path of ["relative", "", "/a\0b", `/${"x".repeat(5000)}`])
      expect(await errorOf(os.fs.writeFile(path, "x"))).toMatch(/^(INVALID_ARGUMENT|FILE_SYSTEM)$/);
    expect(await errorOf(os.fs.mkdir(`/workspace/new/${"y".repeat(256)}`))).toBe("FILE_SYSTEM");
    expect(await os.fs.readdir("/workspace")).toEqual(names);
  });

  test("[S16] a rename between the look and the write never leads out of the target", async () => {
    const directory = mkdtempSync(join(tmpdir(), "aos-race-"));
    const target = join(directory, "shared", "target");
    const outside = join(directory, "outside");
    mkdirSync(join(target, "d"), { recursive: true });
    mkdirSync(outside);
    const mount = { kind: "host" as const, source: join(directory, "shared"), target: "/shared" };
    const mapOwner = process.getuid?.() === 0;
    try {
      await using os = await AgentOs.create({ mounts: [{ ...mount, readOnly: false, mapOwner }] });
      await os.exec("mkdir -p src/d/e && echo theirs > src/d/file && echo theirs > src/d/e/file");
      await using racing = await os.spawn(["node", "-e", EXCHANGE], { cwd: "/shared/target" });
      const ends = new Set<string>();
      for (let round = 0; round < ROUNDS; round += 1)
        ends.add(
          await errorOf(os.fs.download("/workspace/src", target)).then(
            (end) => end.split(":")[0] ?? "",
          ),
        );
      for (let round = 0; round < WRITES; round += AT_ONCE)
        await Promise.all(
          Array.from({ length: AT_ONCE }, (_, at) =>
            errorOf(os.fs.writeFile(`/shared/target/d/w${at}`, "theirs")),
          ),
        );
      expect(readdirSync(outside)).toEqual([]);
      expect(ends.size).toBeGreaterThan(0);
      await racing.kill("SIGKILL");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
