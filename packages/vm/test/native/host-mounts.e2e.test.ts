import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { failure, field, frame, Kind, u64 } from "./host-link.ts";
import {
  buildVmd,
  file,
  hostPrograms,
  isRoot,
  link,
  mount,
  Spawner,
  system,
  users,
} from "./host-vmd.ts";

const program = buildVmd();
const [EPERM, EACCES, EINVAL, EROFS, ELOOP] = [1, 13, 22, 30, 40];
const OWNER = 4242;

describe.skipIf(program === undefined).each(users)("mounts of $name", (user) => {
  let spawner: Spawner;
  let owner: number;
  beforeEach(async () => {
    if (program === undefined) throw new Error("no vmd");
    spawner = await Spawner.start(program, user);
    // Root opens what others can't reach; the VM itself needs no way to it.
    owner = user.uid === 0 ? OWNER : user.uid;
  });
  afterEach(() => spawner.stop());

  /** A directory of the user's, closed to everybody else, with a file in it. */
  function project(name = "project", uid = owner): string {
    const path = join(spawner.directory, name);
    mkdirSync(path);
    writeFileSync(join(path, "hello"), "hi\n");
    chmodSync(join(path, "hello"), 0o600);
    chmodSync(path, 0o700);
    if (isRoot) for (const entry of [path, join(path, "hello")]) chownSync(entry, uid, uid);
    return path;
  }

  const create = (...config: Buffer[]) => spawner.create({ config });

  it("read-write: the guest works as the directory's owner", async () => {
    const source = project();
    const vm = await create(mount("read-write", source, "/workspace"));
    const script = "cat hello; stat -c %u:%g . hello; echo new > new; mkdir d; echo more >> hello";
    const result = await vm.sh(script);
    expect(result).toMatchObject({ code: 0, stdout: "hi\n1000:1000\n1000:1000\n", stderr: "" });
    expect(readFileSync(join(source, "hello"), "utf8")).toBe("hi\nmore\n");
    for (const name of ["new", "d"]) {
      const { uid, gid } = statSync(join(source, name));
      expect([uid, gid]).toEqual([owner, owner]);
    }
    const flags = await vm.sh("grep ' /workspace ' /proc/mounts | cut -d' ' -f4");
    expect(flags.stdout).toMatch(/^rw,nosuid,nodev,/);
    expect((await vm.sh("chmod u+s new")).stderr).toContain("Operation not permitted");
    expect(statSync(join(source, "new")).mode & 0o6000).toBe(0);
  });

  it("read-only: the owner's files, none of them to be changed", async () => {
    const source = project();
    const vm = await create(mount("read-only", source, "/data/project"));
    const result = await vm.sh("cat /data/project/hello; echo x > /data/project/hello");
    expect(result.stdout).toBe("hi\n");
    expect(result.stderr).toContain("Read-only file system");
  });

  it("memory: sized, and in the order of the list", async () => {
    const source = project();
    mkdirSync(join(source, "cache"));
    if (isRoot) chownSync(join(source, "cache"), owner, owner);
    const vm = await create(
      mount("read-write", source, "/workspace"),
      mount("memory", "", "/workspace/cache", { bytes: 1 << 20 }),
      mount("memory", "", "/scratch/deep", { bytes: 1 << 20 }),
    );
    const fill = "head -c 5000000 /dev/zero > /scratch/deep/x; stat -c %s /scratch/deep/x";
    const result = await vm.sh(`${fill}; echo c > cache/c; echo h > /scratch/deep/../x`);
    expect(result.stdout).toBe(`${1 << 20}\n`);
    expect(result.stderr).toMatch(/No space left[\s\S]*Read-only file system/);
    expect(existsSync(join(source, "cache/c"))).toBe(false);
  });

  it("a single file can be mounted", async () => {
    const source = join(project(), "hello");
    const vm = await create(mount("read-write", source, "/workspace/one"));
    expect((await vm.sh("cat one; echo two > one")).stdout).toBe("hi\n");
    expect(readFileSync(source, "utf8")).toBe("two\n");
  });

  it.runIf(user.uid === 0)(
    "a root-owned directory is read-only, or asked for by name",
    async () => {
      const source = project("roots", 0);
      const plain = create(mount("read-write", source, "/workspace"));
      await expect(plain).rejects.toThrow(`FAIL ${EPERM} mount-owner:/workspace`);
      const reader = await create(mount("read-only", source, "/data"));
      expect((await reader.exec(["cat", "/data/hello"])).code).not.toBe(0);
      const vm = await create(mount("read-write", source, "/workspace", { mapOwner: true }));
      expect((await vm.sh("cat hello; echo x > new; chmod 2755 new")).stderr).toContain(
        "not permitted",
      );
      expect(statSync(join(source, "new"))).toMatchObject({ uid: 0, gid: 0, mode: 0o100_644 });
    },
  );

  it.runIf(user.uid === 0)("the VM's own directory needs no map", async () => {
    const source = project("own", 100_500);
    const config = [mount("read-write", source, "/workspace")];
    const vm = await spawner.create({ hostUid: 100_500, config });
    expect((await vm.sh("cat hello; echo x > new")).stdout).toBe("hi\n");
    expect(statSync(join(source, "new")).uid).toBe(100_500);
  });

  it.runIf(isRoot && user.uid !== 0)(
    "an ordinary user reaches no more than on the host",
    async () => {
      const source = project("other", OWNER);
      const vm = await create(mount("read-write", source, "/data"));
      expect((await vm.exec(["cat", "/data/hello"])).stderr).toContain("Permission denied");
      const inner = create(mount("read-only", join(source, "hello"), "/workspace/x"));
      await expect(inner).rejects.toThrow(`FAIL ${EACCES} mount-source:/workspace/x`);
    },
  );

  it("a link planted in a source or a target is refused", async () => {
    const source = project();
    symlinkSync("/etc", join(source, "etc"));
    const planted = create(mount("read-only", join(source, "etc"), "/data"));
    await expect(planted).rejects.toThrow(`FAIL ${ELOOP} mount-source:/data`);
    const target = create(
      mount("read-write", source, "/workspace"),
      mount("memory", "", "/workspace/etc/x", { bytes: 4096 }),
    );
    await expect(target).rejects.toThrow(/FAIL 20 mount-target:\/workspace\/etc\/x/);
    expect(existsSync("/etc/x")).toBe(false);
  });

  it("failures name the step and the place in the VM, never the host's", async () => {
    const missing = create(mount("read-only", join(spawner.directory, "none"), "/data"));
    await expect(missing).rejects.toThrow(/^FAIL 2 mount-source:\/data$/);
    const under = create(mount("memory", "", "/usr/nowhere", { bytes: 4096 }));
    await expect(under).rejects.toThrow(`FAIL ${EROFS} mount-target:/usr/nowhere`);
    await expect(create(system("/nowhere", "/opt/x"))).rejects.toThrow(
      "FAIL 2 mount-source:/opt/x",
    );
    await expect(create(file("/usr/nowhere", ""))).rejects.toThrow(
      `FAIL ${EROFS} file:/usr/nowhere`,
    );
    await expect(create(link("x", "/bin"))).rejects.toThrow("FAIL 17 link:/bin");
  });

  it("a CONFIG that isn't exactly right is refused", async () => {
    const bad: [Buffer, string][] = [
      [mount("memory", "", "/m"), "mount"],
      [mount("memory", "", "m", { bytes: 1 }), "mount"],
      [mount("read-only", "/usr", "/a/../b"), "mount"],
      [mount("read-only", "", "/a"), "mount"],
      [field(29, Buffer.from("\u0003\0________/a\0/b")), "mount"],
      [field(29, Buffer.from("\0\u0002________/a\0/b")), "mount"],
      [field(26, "/usr"), "system"],
      [field(26, "/usr\0/"), "system"],
      [field(27, "\0/x"), "link"],
      [file("/x", "", 0o4755), "file"],
      [field(20, "again"), "hostname"],
      [field(60, "x"), "field"],
      [field(32, Buffer.of(2, 0, 0, 0)), "profile"],
      [field(39, "relative\0/proc/meminfo"), "cover"],
      [field(30, "short"), "openFiles"],
    ];
    for (const [extra, step] of bad)
      await expect(create(extra)).rejects.toThrow(`FAIL ${EINVAL} ${step}`);
    const connection = await spawner.connect();
    const zero = hostPrograms().filter((entry) => entry.readUInt16LE() !== 23);
    const config = Buffer.concat([...zero, field(23, u64(0))]);
    connection.send(spawner.createFrame(), frame(Kind.config, config));
    expect((await connection.next())?.kind).toBe(Kind.launched);
    expect(failure(await connection.next())).toEqual({ errno: EINVAL, step: "diskBytes" });
    expect(await connection.next()).toBeUndefined();
  });

  it("files of the list are written with their modes and bytes", async () => {
    const vm = await create(
      file("/etc/deep/er/x", "a\0b\n", 0o600),
      file("/home/agent/.profile", "p\n"),
      file("/tmp/run", "#!/bin/sh\necho ran\n", 0o755),
    );
    const result = await vm.sh(
      "stat -c %a:%s /etc/deep/er/x; cat ~/.profile; /tmp/run; echo q > ~/.profile",
    );
    expect(result).toMatchObject({ code: 0, stdout: "600:4\np\nran\n" });
  });
});
