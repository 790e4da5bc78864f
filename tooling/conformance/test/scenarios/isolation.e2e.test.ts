import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, isAgentOsError } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

const world = useWorld();
const PROBE_SOURCE = join(import.meta.dirname, "../../probe/probe.c");

describe("isolation", () => {
  let os: AgentOs;
  let probe: Map<string, string>;
  const results = (names: string[]): (string | undefined)[] => names.map((name) => probe.get(name));

  beforeAll(async () => {
    os = await AgentOs.create({ limits: { diskBytes: 32 * 1024 * 1024 } });
    const binary = join(world.directory, "probe");
    execFileSync("cc", ["-static", "-O1", "-o", binary, PROBE_SOURCE]);
    await os.fs.writeFile("/tmp/probe", readFileSync(binary), { mode: 0o755 });
    const { stdout } = await os.exec(["/tmp/probe", String(process.pid)]);
    probe = new Map(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" "))
        .map(([name = "", result = ""]) => [name, result]),
    );
  });
  afterAll(() => os.dispose());

  test("[hole.1] a VM's user is not the host's root", async () => {
    expect(probe.get("shadow")).toMatch(/^(ENOENT|EACCES)$/);
    const { stdout } = await os.exec("id -u; cat /proc/self/uid_map");
    const [uid = "", inner = "", outer = ""] = stdout.trim().split(/\s+/);
    expect([uid, inner]).toEqual(["1000", "1000"]);
    expect(outer).not.toBe("0");
  });

  test("[hole.2] [probe.fill] every writable place has a size", async () => {
    const fill = "dd if=/dev/zero of=$0/fill bs=1M count=200 2>&1; rm -f $0/fill";
    for (const place of ["/tmp", "/workspace", "/home/agent", "/dev/shm", "/var/tmp"]) {
      const { stdout } = await os.exec(["/bin/sh", "-c", fill, place]);
      expect(`${place}: ${stdout}`).toContain("No space left on device");
    }
    const { stdout } = await os.exec("awk '$3 == \"tmpfs\" && $4 !~ /size=/' /proc/self/mounts");
    expect(stdout).toBe("");
    expect((await os.exec("echo x > /fill; echo x > /dev/fill")).stderr).toMatch(
      /Read-only|denied/,
    );
  });

  test("[hole.3] PID 1 shows no secret and no host path", async () => {
    expect(probe.get("init-environ")).toBe("EACCES");
    const { stdout } = await os.exec("tr '\\0' ' ' < /proc/1/cmdline; cat /proc/1/comm");
    expect(stdout.trim()).toMatch(/^(vmd)?\s*vmd$/);
  });

  test("[hole.4] [probe.environment] a process gets descriptors 0, 1, 2 and the named environment", async () => {
    const { stdout } = await os.exec(
      ["/bin/sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; echo; env"],
      {
        env: { ASKED: "yes" },
      },
    );
    const [descriptors = "", ...environment] = stdout.trim().split("\n");
    // 3 is the directory that ls itself has open.
    expect(descriptors.trim()).toBe("0 1 2 3");
    const names = environment.map((line) => line.split("=")[0] ?? "").toSorted();
    expect(names).toEqual(
      ["ASKED", "HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "USER"].toSorted(),
    );
  });

  test("[hole.5] a planted link leads no file operation to the host", async () => {
    const secret = join(world.directory, "secret");
    writeFileSync(secret, "host secret");
    await os.exec(`ln -s ${secret} evil; ln -s ${world.directory} evil-dir; ln -s / up`);
    const attempts = [
      () => os.fs.readFile("/workspace/evil"),
      () => os.fs.readFile("/workspace/evil-dir/secret"),
      () => os.fs.stat("/workspace/evil"),
      () => os.fs.chmod("/workspace/evil", 0o777),
      () => os.fs.truncate("/workspace/evil", 0),
      () => os.fs.copy("/workspace/evil", "/workspace/copy"),
      () => os.fs.rm("/workspace/evil-dir/secret"),
      () => os.fs.readdir("/workspace/evil-dir"),
    ];
    for (const attempt of attempts) {
      const error = await attempt().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect([String(attempt), isAgentOsError(error, "FILE_SYSTEM")]).toEqual([
        String(attempt),
        true,
      ]);
    }
    await os.fs.rm("/workspace/up", { recursive: true });
    expect(readFileSync(secret, "utf8")).toBe("host secret");
    const hostOnly = mkdtempSync(join(tmpdir(), "aos-host-"));
    try {
      await os.exec(`ln -s ${hostOnly} write-through`);
      await os.fs.writeFile("/workspace/write-through/new", "x").catch(() => undefined);
      expect(execFileSync("ls", ["-A", hostOnly], { encoding: "utf8" })).toBe("");
    } finally {
      rmSync(hostOnly, { recursive: true });
    }
  });

  test("[hole.6] /etc is synthetic", async () => {
    const { stdout } = await os.exec("cat /etc/passwd /etc/hostname; ls /etc");
    expect(stdout).toContain("agent:x:1000:1000");
    expect(stdout).not.toContain("shadow");
    const hostName = execFileSync("hostname", { encoding: "utf8" }).trim();
    expect(stdout.split("\n")).not.toContain(hostName);
  });

  test("[hole.7] a read-only mount is read-only in depth", async () => {
    const source = mkdtempSync(join(tmpdir(), "aos-mount-"));
    mkdirSync(join(source, "deep/er"), { recursive: true });
    writeFileSync(join(source, "deep/er/file"), "same");
    symlinkSync("/etc/hosts", join(source, "link"));
    try {
      await using other = await AgentOs.create({
        mounts: [{ kind: "host", source, target: "/mnt/host", mapOwner: process.getuid?.() === 0 }],
      });
      const { stdout, stderr } = await other.exec(
        "cat /mnt/host/deep/er/file; echo x > /mnt/host/deep/er/file; rm -rf /mnt/host/deep; touch /usr/x /usr/share/x",
      );
      expect(stdout).toBe("same");
      expect(stderr.match(/Read-only file system/g)?.length).toBeGreaterThanOrEqual(4);
      expect(readFileSync(join(source, "deep/er/file"), "utf8")).toBe("same");
    } finally {
      rmSync(source, { recursive: true });
    }
  });

  test("[hole.8] what of the host shows in /proc is documented", () => {
    const page = readFileSync(
      join(import.meta.dirname, "../../../../docs/linux-driver.md"),
      "utf8",
    );
    for (const name of ["memory size", "processor count", "load"]) expect(page).toContain(name);
  });

  test("[hole.9] a blocked reader does not block the VM", async () => {
    const stalled = await os.spawn(["/bin/sh", "-c", "yes"], {});
    const { stdout } = await os.exec("echo still here");
    expect(stdout).toBe("still here\n");
    await stalled.kill("SIGKILL");
    expect((await stalled.exited).signal).toBe("SIGKILL");
  });

  test("[probe.namespaces] namespaces, mounts and chroot are refused", () => {
    expect(
      results(["unshare-user", "unshare-mount", "clone-user", "mount", "setns", "chroot"]),
    ).toEqual(Array(6).fill("EPERM"));
  });

  test("[probe.host-signal] a host process can't be signalled", () => {
    expect(probe.get("host-signal")).toBe("ESRCH");
  });

  test("[probe.proc] /proc shows the VM's own processes", async () => {
    const { stdout } = await os.exec("ls -d /proc/[0-9]* | wc -l; ls /proc/1/root 2>&1 | head -1");
    expect(Number.parseInt(stdout, 10)).toBeLessThan(8);
    expect(stdout).toMatch(/Permission denied|cannot/);
  });

  test("[probe.sysrq] sysrq and core_pattern can't be written", () => {
    expect(results(["sysrq", "core-pattern"]).join()).toMatch(
      /^((EACCES|EPERM|EROFS|ENOENT),?){2}$/,
    );
  });

  test("[probe.sys] /sys is absent", async () => {
    expect((await os.exec("ls /sys/kernel /sys/fs/cgroup")).exitCode).not.toBe(0);
  });

  test("[probe.devices] /dev is minimal and devices can't be made", async () => {
    const { stdout } = await os.exec("ls /dev");
    expect(stdout.trim().split("\n").toSorted()).toEqual([
      "fd",
      "full",
      "null",
      "ptmx",
      "pts",
      "random",
      "shm",
      "stderr",
      "stdin",
      "stdout",
      "tty",
      "urandom",
      "zero",
    ]);
    expect(probe.get("mknod")).toMatch(/^(EPERM|EACCES)$/);
    expect(results(["kcore", "kmsg"])).not.toContain("ok");
  });

  test("[probe.net] the network is lo alone", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const { stdout } = await os.exec(
        `tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/unix | grep -c ${world.directory}; bash -c 'echo > /dev/tcp/127.0.0.1/${port}' 2>&1`,
      );
      expect(stdout.trim().split("\n")[0]?.trim()).toBe("lo");
      expect(stdout.split("\n")[1]).toBe("0");
      expect(stdout).toContain("Connection refused");
    } finally {
      server.close();
    }
  });

  test("[probe.sockets] socket families that reach out are refused", () => {
    expect(results(["vsock", "packet", "alg"])).toEqual(Array(3).fill("EAFNOSUPPORT"));
    expect(probe.get("inet")).toBe("ok");
  });

  test("[probe.tiocsti] TIOCSTI is refused", () => {
    expect(probe.get("openpty")).toBe("ok");
    expect(probe.get("tiocsti")).toBe("EPERM");
    expect(probe.get("tiocsti-high")).toBe("EPERM");
  });

  test("[probe.syscalls] dangerous calls are refused", () => {
    expect(results(["keyctl", "bpf", "io-uring", "ptrace"]).join()).toMatch(
      /^((EPERM|ENOSYS),?){4}$/,
    );
  });

  test("[probe.x32] a call of a foreign architecture kills its caller", () => {
    expect(probe.get("x32")).toBe("SIGSYS");
  });

  test("[probe.setuid] set-user-ID gains nothing and can't be made", async () => {
    expect(probe.get("setuid-bit")).toBe("EPERM");
    const { stdout } = await os.exec(
      "grep -E 'NoNewPrivs|CapEff|CapBnd|Seccomp:' /proc/self/status",
    );
    expect(stdout.replaceAll(/\s+/g, " ").trim()).toBe(
      "CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2",
    );
  });

  test("[probe.host-tmp] the host's /tmp is not visible", async () => {
    const { stdout } = await os.exec("ls -A /tmp");
    expect(stdout.trim()).toBe("probe");
  });

  test("[probe.read-only] system directories can't be written", async () => {
    const { stderr } = await os.exec("touch /usr/x /etc/x /opt/x /x");
    expect(stderr.match(/Read-only file system|Permission denied/g)?.length).toBe(4);
  });
});
