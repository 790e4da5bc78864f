import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, type VmChange } from "@agentos/client";
import { expect, test } from "vitest";

import { useWorld } from "./world.ts";

useWorld();

const MANY = "mkdir -p many/{1..40} && touch many/{1..40}/{1..100} && ln -s x many/link";

const lineOf = ({ kind, path, type }: VmChange): string => `${kind} ${path} ${type}`;

test("[diff.list] [diff.applies] what changed since a snapshot is a list, and a patch that git applies", async () => {
  await using os = await AgentOs.create();
  await os.exec(
    "seq 1 40 > numbers; echo same > same; echo gone > gone; printf 'a\\0b' > binary; mkdir sub; echo x > sub/tool; echo k > kind; echo 12 > kept; touch -d 2001-01-01 kept",
  );
  const { snapshotId } = await os.snapshot();
  await os.exec(
    "sed -i 's/^7$/seven/; s/^33$/33b/' numbers; rm gone; touch same; printf 'a\\0c' > binary; printf 'no end' > sub/new; chmod +x sub/tool; ln -s numbers link; mkdir only; rm kind; ln -s x kind; echo 21 > kept; touch -d 2001-01-01 kept",
  );
  const changes = await os.diff({ since: snapshotId, patch: true });
  expect(changes.map(lineOf)).toEqual([
    "modified /workspace/binary file",
    "deleted /workspace/gone file",
    "modified /workspace/kept file",
    "type /workspace/kind symlink",
    "added /workspace/link symlink",
    "modified /workspace/numbers file",
    "added /workspace/only directory",
    "added /workspace/sub/new file",
    "mode /workspace/sub/tool file",
  ]);
  expect(changes[0]?.patch).toContain(
    "Binary files a/workspace/binary and b/workspace/binary differ",
  );
  expect(changes.find(({ path }) => path.endsWith("/kind"))?.before?.type).toBe("file");
  await using base = await AgentOs.create({ from: snapshotId });
  const host = mkdtempSync(join(tmpdir(), "aos-diff-"));
  try {
    await base.fs.download("/workspace", join(host, "workspace"));
    const input = changes
      .slice(1)
      .map(({ patch }) => patch)
      .join("");
    execFileSync("git", ["apply", "-"], { cwd: host, input, stdio: "pipe" });
    const show =
      "cat numbers sub/new sub/tool kept; readlink link kind; ls -A; stat -c %a sub/tool";
    const cwd = join(host, "workspace");
    const then = execFileSync("sh", ["-c", show], { cwd, encoding: "utf8" });
    expect(then).toBe((await os.exec(`rmdir only; ${show}`)).stdout);
  } finally {
    rmSync(host, { recursive: true, force: true });
  }
});

test("[diff.begin] [bad.diff] without a snapshot it is since the VM began, also of a fork", async () => {
  await using os = await AgentOs.create({
    mounts: [{ kind: "memory", target: "/workspace/mounted" }],
  });
  await os.exec("echo x > mine; echo not > mounted/here");
  expect((await os.diff()).map(lineOf)).toEqual(["added /workspace/mine file"]);
  const [fork] = await os.fork();
  if (fork === undefined) throw new Error("expected a fork");
  await using disposed = fork;
  // A program that holds a directory: the next one's files are a copy.
  const holder = await disposed.spawn(["sleep", "60"]);
  const [grandchild] = await disposed.fork();
  await using copied = grandchild;
  await holder.kill("SIGKILL");
  await disposed.exec("echo y > theirs");
  await copied?.exec("rm mine; echo t > /tmp/t");
  expect((await disposed.diff()).map(lineOf)).toEqual(["added /workspace/theirs file"]);
  expect((await copied?.diff({ paths: ["/workspace"] }))?.map(lineOf)).toEqual([
    "deleted /workspace/mine file",
  ]);
  await expect(os.diff({ since: "never" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(() => os.diff({ paths: ["here"] })).toThrow(/paths/);
  expect((await AgentOs.snapshots()).filter(({ vmId }) => vmId === os.id)).toEqual([]);
});

test("[diff.many] thousands of files are compared, and what changed is told", async () => {
  await using os = await AgentOs.create();
  await os.exec(["bash", "-c", MANY]);
  const { snapshotId } = await os.snapshot();
  await os.exec("rm -r many/7; echo x > many/8/50; touch many/9/new");
  const changes = await os.diff({ since: snapshotId });
  expect(changes.filter(({ kind }) => kind === "deleted")).toHaveLength(101);
  expect(changes.filter(({ kind }) => kind !== "deleted").map(lineOf)).toEqual([
    "modified /workspace/many/8/50 file",
    "added /workspace/many/9/new file",
  ]);
});
