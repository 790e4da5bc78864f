import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { expect, test } from "vitest";

import { useWorld } from "./world.ts";

const world = useWorld();
const isRoot = process.getuid?.() === 0;
/** Whose directories root mounts; an ordinary user has only its own. */
const owner = isRoot ? 4242 : (process.getuid?.() ?? 0);
const group = isRoot ? 4243 : (process.getgid?.() ?? 0);

/** A directory that only its owner may enter, with a file that only it may read. */
function directoryOf(uid: number, gid: number): string {
  const path = mkdtempSync(join(world.directory, "mounted-"));
  writeFileSync(join(path, "closed"), "closed\n", { mode: 0o600 });
  mkdirSync(join(path, "deep"));
  if (isRoot) for (const each of ["", "closed", "deep"]) chownSync(join(path, each), uid, gid);
  chmodSync(path, 0o700);
  return path;
}

const WRITES = `
cat closed; stat -c %u:%g . closed deep
echo more >> closed; echo new > deep/new; mkdir deep/made
cp closed copy; chmod 4755 copy; mv deep/new moved
`;

test("[mount.owner] a directory is the VM's own user's there, and what the VM makes is its owner's", async () => {
  const source = directoryOf(owner, group);
  await using os = await AgentOs.create({
    mounts: [{ kind: "host", source, target: "/project", readOnly: false }],
  });
  const { stdout, stderr } = await os.exec(WRITES, { cwd: "/project" });
  expect(stdout).toBe("closed\n1000:1000\n1000:1000\n1000:1000\n");
  expect(stderr).toMatch(/^chmod: .*not permitted\n$/);
  await os.fs.writeFile("/project/written", "by the agent");
  await os.fs.upload(join(source, "closed"), "/project/sent");
  for (const name of ["closed", "copy", "moved", "deep/made", "written", "sent"]) {
    const { uid, gid, mode } = statSync(join(source, name));
    expect([name, uid, gid, mode & 0o7000]).toEqual([name, owner, group, 0]);
  }
  expect(readFileSync(join(source, "closed"), "utf8")).toBe("closed\nmore\n");
});

test("[mount.owner-only] read-only, the owner's closed files can be read, and nothing is changed", async () => {
  const source = directoryOf(owner, group);
  await using os = await AgentOs.create({ mounts: [{ kind: "host", source, target: "/project" }] });
  const { stdout, stderr } = await os.exec(`${WRITES}touch closed; rm -f closed`, {
    cwd: "/project",
  });
  expect(stdout).toBe("closed\n1000:1000\n1000:1000\n1000:1000\n");
  expect(stderr.match(/Read-only file system/g)?.length).toBeGreaterThanOrEqual(6);
  expect(statSync(join(source, "closed")).size).toBe(7);
});

test("[mount.root-owned] what root owns is read as everybody may, and written only where that is said", async () => {
  const source = isRoot ? directoryOf(0, 0) : "/usr/share";
  if (isRoot) {
    chmodSync(source, 0o755);
    writeFileSync(join(source, "open"), "open\n", { mode: 0o644 });
  }
  const mount = { kind: "host" as const, source, target: "/roots" };
  const refused = AgentOs.create({ mounts: [{ ...mount, readOnly: false }] });
  await expect(refused).rejects.toMatchObject({
    code: "MOUNT_REFUSED",
    details: { source, target: "/roots" },
  });
  await using os = await AgentOs.create({ mounts: [mount] });
  const { stdout, stderr } = await os.exec(
    "ls > /tmp/names && wc -l < /tmp/names; stat -c %u . ; cat closed; touch new",
    { cwd: "/roots" },
  );
  expect(Number.parseInt(stdout, 10)).toBeGreaterThan(2);
  expect(stdout).toMatch(/\n65534\n$/);
  expect(stderr).toMatch(/closed: (Permission denied|No such file)/);
  expect(stderr).toContain("Read-only file system");
});

test("[mount.map-owner] mapOwner lets the VM write as the owner, root too, and as nobody else", async () => {
  const source = directoryOf(isRoot ? 0 : owner, isRoot ? 0 : group);
  writeFileSync(join(source, "others"), "others\n", { mode: 0o600 });
  if (isRoot) chownSync(join(source, "others"), 4242, 4242);
  await using os = await AgentOs.create({
    mounts: [{ kind: "host", source, target: "/project", readOnly: false, mapOwner: true }],
  });
  const { stdout, stderr } = await os.exec(`${WRITES}cat others`, { cwd: "/project" });
  const others = isRoot ? "" : "others\n";
  expect(stdout).toBe(`closed\n1000:1000\n1000:1000\n1000:1000\n${others}`);
  expect(stderr).toMatch(isRoot ? /others: Permission denied/ : /^chmod: .*not permitted\n$/);
  const { uid, gid, mode } = statSync(join(source, "copy"));
  expect([uid, mode & 0o7000]).toEqual([isRoot ? 0 : owner, 0]);
  expect(gid).toBe(isRoot ? 0 : group);
});

test("[mount.copied] what is copied in is the VM's user's, and what is copied out is the caller's", async () => {
  const source = directoryOf(isRoot ? 0 : owner, isRoot ? 0 : group);
  await using os = await AgentOs.create();
  await os.fs.upload(source, "/workspace/copy");
  const { stdout } = await os.exec("stat -c %u:%g copy copy/closed; echo more >> copy/closed");
  expect(stdout).toBe("1000:1000\n1000:1000\n");
  const back = join(world.directory, "back");
  await os.fs.download("/workspace/copy", back);
  const { uid, mode } = statSync(join(back, "closed"));
  expect([uid, mode & 0o777]).toEqual([process.getuid?.(), 0o600]);
  expect(readFileSync(join(source, "closed"), "utf8")).toBe("closed\n");
});

test("[mount.unreachable] what the sidecar's user can't reach is refused before anything is made", async () => {
  const closed = isRoot ? join(world.directory, "nothing") : "/root/nothing";
  for (const source of [closed, "/etc/passwd"]) {
    const made = AgentOs.create({ mounts: [{ kind: "host", source, target: "/project" }] });
    await expect(made).rejects.toMatchObject({ code: "MOUNT_REFUSED", details: { source } });
  }
});
