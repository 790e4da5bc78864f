import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { AgentOs, isAgentOsError } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { until, useWorld } from "./world.ts";

const world = useWorld();
const MIB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;
const PROGRAM = join(import.meta.dirname, "program.ts");

const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => "done",
    (error: unknown) => (isAgentOsError(error) ? error.code : String(error)),
  );

/** Links out of a mount, and what a guest can try with the files of the host and of the image. */
const LINKS = `
  ln -s /etc/shadow leaf; ln -s ../outside parent; ln -s nowhere dangling; ln -s loop loop
  ln -s /proc/self/root/etc magic; ln -s /proc/1/root one
  ln /shared/inside /workspace/hard; ln /usr/bin/env hard; ln /etc/passwd /shared/passwd
  true
`;

describe("links", () => {
  test("[S15] links of a guest in a host mount lead to nothing outside of it", async () => {
    const directory = mkdtempSync(join(world.directory, "links-"));
    const source = join(directory, "shared");
    const outside = join(directory, "outside");
    for (const path of [source, outside]) mkdirSync(path);
    writeFileSync(join(source, "inside"), "inside");
    writeFileSync(join(outside, "secret"), "the host's");
    const mount = { kind: "host" as const, source, target: "/shared", readOnly: false };
    await using os = await AgentOs.create({ mounts: [{ ...mount, mapOwner: isRoot }] });
    const made = await os.exec(LINKS, { cwd: "/shared" });
    // Three hard links: to another mount, of a file of the image, and of the VM's own /etc.
    expect(made.stderr.match(/cross-device|not permitted|denied/gi)?.length).toBe(3);
    const links = ["leaf", "parent/secret", "dangling", "loop", "magic/shadow", "one/etc/shadow"];
    for (const link of links) {
      expect([link, await codeOf(os.fs.readFile(`/shared/${link}`))]).toEqual([
        link,
        "FILE_SYSTEM",
      ]);
      await codeOf(os.fs.chmod(`/shared/${link}`, 0o777));
      await codeOf(os.fs.truncate(`/shared/${link}`, 0));
    }
    await codeOf(os.fs.writeFile("/shared/parent/new", "x"));
    await codeOf(os.fs.rm("/shared/parent/secret"));
    await os.fs.download("/shared", join(directory, "back"));
    expect(readdirSync(outside)).toEqual(["secret"]);
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("the host's");
    expect(statSync(join(outside, "secret")).mode & 0o777).not.toBe(0o777);
    // A later VM's mount whose way has become a link since it was looked at: the link is its end.
    symlinkSync(outside, join(directory, "aimed"));
    const aimed = { kind: "host" as const, source: join(directory, "aimed"), target: "/aimed" };
    await using other = await AgentOs.create({ mounts: [aimed] });
    const through = "cat /aimed/secret; touch /aimed/x; ls -A /aimed/..";
    const { stdout } = await other.exec(through);
    expect(stdout.startsWith("the host's")).toBe(true);
    expect(readdirSync(outside)).toEqual(["secret"]);
    expect(stdout).not.toContain("shared");
  });

  test("[S17] what an archive or a tree brings stays below its target, without set-id bits and devices", async () => {
    const directory = mkdtempSync(join(world.directory, "archive-"));
    const source = join(directory, "shared");
    const tree = join(directory, "tree");
    for (const path of [source, tree]) mkdirSync(path);
    writeFileSync(join(tree, "setuid"), "x");
    chmodSync(join(tree, "setuid"), 0o6755);
    symlinkSync("../../../../../etc", join(tree, "out"));
    execFileSync("mkfifo", [join(tree, "pipe")]);
    if (isRoot) execFileSync("mknod", [join(tree, "device"), "c", "1", "5"]);
    const mount = { kind: "host" as const, source, target: "/shared", readOnly: false };
    await using os = await AgentOs.create({ mounts: [{ ...mount, mapOwner: isRoot }] });
    const { skipped } = await os.fs.upload(tree, "/shared/tree");
    expect(skipped.map(({ type }) => type)).toEqual(
      isRoot ? ["character_device", "fifo"] : ["fifo"],
    );
    expect(statSync(join(source, "tree/setuid")).mode & 0o7777).toBe(0o755);
    // As a guest unpacks it: what leads up is a name in the VM, a device and set-id bits can't be made.
    const { stdout } = await os.exec(["python3", "-c", HOSTILE_TAR], { cwd: "/shared" });
    expect(stdout).toBe("");
    const unpacked = await os.exec("tar -xPpf hostile.tar; ls -l inner", { cwd: "/shared" });
    expect(unpacked.stderr).toMatch(/not permitted/);
    expect(readdirSync(directory).toSorted()).toEqual(["shared", "tree"]);
    const odd = ["(", "-perm", "/6000", "-o", "-type", "b,c", ")", "-print"];
    expect(execFileSync("find", [source, ...odd], { encoding: "utf8" })).toBe("");
  });
});

/** An archive whose names go up and start at the root, with a device and a set-id program. */
const HOSTILE_TAR = `
import io, tarfile
with tarfile.open("hostile.tar", "w") as archive:
    for name in ("../slipped", "/absolute-slipped", "a/../../slipped-too", "inner/file"):
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    for name, kind, mode in (("inner/device", tarfile.CHRTYPE, 0o666), ("inner/setuid", tarfile.REGTYPE, 0o6755)):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.devmajor, entry.devminor = kind, mode, 1, 5
        archive.addfile(entry, io.BytesIO(b""))
`;

describe("the VM's size", () => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create({
      limits: { diskBytes: 24 * MIB, openFiles: 64, watches: 20 },
      mounts: [{ kind: "memory", target: "/scratch", sizeBytes: 2 * MIB }],
    });
  });
  afterAll(() => os.dispose());

  test("[S19] every way to write, and every count of the kernel, ends at the VM's own size", async () => {
    await using neighbour = await AgentOs.create({ limits: { diskBytes: 24 * MIB } });
    const { stdout } = await os.exec(["python3", "-c", FILL]);
    const ends = Object.fromEntries(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ")),
    );
    expect(ends).toEqual({
      write: "ENOSPC",
      fallocate: "ENOSPC",
      mapped: "SIGBUS",
      copied: "ENOSPC",
      child: "ENOSPC",
      scratch: "ENOSPC",
      shm: "ENOSPC",
      run: "ENOSPC",
      inodes: "ENOSPC",
      files: "EMFILE",
      watches: "ENOSPC",
      raised: "EACCES",
    });
    await os.exec("head -c 20m /dev/zero > /workspace/most");
    expect(await codeOf(os.fs.copy("/workspace/most", "/workspace/more"))).toBe("FILE_SYSTEM");
    expect(await codeOf(os.fs.writeFile("/workspace/new", Buffer.alloc(8 * MIB)))).toBe(
      "FILE_SYSTEM",
    );
    expect((await os.stats()).diskBytes ?? 0).toBeLessThanOrEqual(24 * MIB);
    await neighbour.fs.writeFile("/workspace/own", Buffer.alloc(16 * MIB));
  });
});

/** Each way in a process of its own, after which what it wrote is removed; how it ended, by its errno. */
const FILL = `
import ctypes, errno, mmap, os, resource, shutil, signal, sys
MORE = 80 << 20
libc = ctypes.CDLL(None, use_errno=True)

def write(path):
    with open(path, "wb", 0) as file:
        for _ in range(80): file.write(bytes(1 << 20))

def fallocate(path):
    os.posix_fallocate(os.open(path, os.O_CREAT | os.O_RDWR), 0, MORE)

def mapped(path):
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, MORE)
    memory = mmap.mmap(fd, MORE)
    for at in range(0, MORE, 4096): memory[at] = 1

def copied(path):
    with open(path + "0", "wb") as file: file.write(bytes(8 << 20))
    for at in range(1, 10): shutil.copyfile(path + "0", path + str(at))

def child(path):
    end = os.spawnlp(os.P_WAIT, "dd", "dd", "status=none", "if=/dev/zero", "of=" + path, "bs=1M", "count=80")
    if end: raise OSError(errno.ENOSPC, "")

def inodes(path):
    os.mkdir(path)
    for at in range(40000): os.close(os.open(path + "/" + str(at), os.O_CREAT))

def files(path):
    for at in range(200): os.pipe()

def watches(path):
    fd = libc.inotify_init()
    for at in range(50):
        os.makedirs(path + str(at))
        if libc.inotify_add_watch(fd, (path + str(at)).encode(), 0xfff) < 0: raise OSError(ctypes.get_errno(), "")

def raised(path):
    open("/proc/sys/user/max_inotify_watches", "w").write("100000")

def attempt(name, work, path):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
        try: work(path)
        except OSError as error: os._exit(error.errno)
        os._exit(0)
    end = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(name, signal.Signals(-end).name if end < 0 else errno.errorcode.get(end, "none"))
    os.system("rm -rf " + path + "*")

for work in (write, fallocate, mapped, copied, child, inodes, files, watches, raised):
    attempt(work.__name__, work, "/workspace/fill")
for place in ("scratch", "shm", "run"):
    attempt(place, write, {"shm": "/dev/shm"}.get(place, "/" + place) + "/fill")
`;

/** What runs a program when some tool of the host is used in a directory. The program makes `canary`. */
function trap(canary: string): string {
  return `
    set -e
    git init -q . && printf '#!/bin/sh\\ntouch ${canary}\\n' > run.sh && chmod +x run.sh
    git config core.fsmonitor "touch ${canary}; false" && git config core.sshCommand "touch ${canary}"
    git config core.pager "touch ${canary}" && git config core.hooksPath .hooks
    mkdir -p .hooks .git/hooks .claude .vscode node_modules/@agentos/sidecar node_modules/.bin .config/agentos
    for hook in post-checkout pre-commit post-index-change reference-transaction; do
      cp run.sh .git/hooks/$hook; cp run.sh .hooks/$hook
    done
    printf '* filter=evil\\n' > .gitattributes && git config filter.evil.clean "touch ${canary}"
    printf '[submodule "x"]\\n path = x\\n url = ext::sh -c touch%% ${canary}\\n update = !touch ${canary}\\n' > .gitmodules
    printf 'touch ${canary}\\n' | tee .bashrc .profile .bash_profile .envrc .zshenv > /dev/null
    printf 'script-shell=./run.sh\\nnode-options=--require ./evil.js\\n' > .npmrc
    printf 'NODE_OPTIONS=--require ./evil.js\\n' > .env
    printf 'require("fs").writeFileSync("${canary}", "")\\n' | tee evil.js node_modules/@agentos/sidecar/main.js > /dev/null
    printf '{"name":"@agentos/sidecar","version":"1.0.0","bin":"main.js"}' > node_modules/@agentos/sidecar/package.json
    printf '{"hooks":{"SessionStart":[{"hooks":[{"type":"command","command":"touch ${canary}"}]}]}}' > .claude/settings.json
    printf '{"mcpServers":{"x":{"command":"touch","args":["${canary}"]}}}' > .mcp.json
    printf '{"scripts":{"preinstall":"touch ${canary}","prepare":"touch ${canary}"}}' > package.json
    for name in node git sh agentos vmd; do cp run.sh node_modules/.bin/$name; done
  `;
}

test("[S20] [S21] what a guest leaves for programs of the host is run by nothing of ours", async () => {
  const canary = join(world.directory, "canary");
  const back = join(world.directory, "hostile-repo");
  await using os = await AgentOs.create();
  expect((await os.exec(trap(canary))).stderr).toBe("");
  await os.fs.download("/workspace", back);
  // All that ours does with such a directory on the host: from it, as its home, into and out of it.
  const mounts = [
    { kind: "host" as const, source: back, target: "/back", readOnly: false, mapOwner: isRoot },
  ];
  await using other = await AgentOs.create({ mounts });
  expect((await other.exec("git -c safe.directory=* -C /back log; ls /back")).stdout).toContain(
    "evil.js",
  );
  await other.fs.upload(back, "/workspace/again", { gitignore: true });
  await other.fs.download("/workspace/again", back);
  await os.snapshot().then(({ snapshotId }) => AgentOs.removeSnapshot(snapshotId));
  const ran = execFileSync(process.execPath, [PROGRAM, "once"], {
    cwd: back,
    env: { PATH: process.env["PATH"], HOME: back, ...world.env },
    encoding: "utf8",
  });
  expect(ran).toContain("sidecarPid");
  expect(existsSync(canary)).toBe(false);
  // The trap is one: git on the host falls into it.
  execFileSync("sh", ["-c", "git -c safe.directory=* status || true"], {
    cwd: back,
    env: { PATH: process.env["PATH"], HOME: back },
    stdio: "ignore",
  });
  await until(() => existsSync(canary));
  rmSync(canary);
});
