import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { buildVmd, Spawner, system, users, type Vm } from "./host-vmd.ts";

const program = buildVmd();
const source = fileURLToPath(new URL("../../native/test/escape.c", import.meta.url));
const x64 = process.arch === "x64";

const directory = mkdtempSync(join(tmpdir(), "vmd-escape-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const refusals: Record<string, string> = {
  ...same("EPERM", [
    "unshare-user setns clone-user clone-user-high mount umount chroot pivot open-tree fsopen",
    "mount-setattr keyctl bpf io-uring ptrace ptrace-init perf userfaultfd process-vm pidfd-getfd",
    "syslog by-handle personality-rie prctl-mm reboot hostname raw tiocsti tiocsti-high tioclinux",
    "tiocsetd suid-openat suid-chmod sgid-chmod suid-fchmod suid-fchmodat2 suid-mknod",
    "suid-tmpfile",
    x64 ? "suid-open suid-creat suid-chmod-old" : "",
  ]),
  ...same("ENOSYS", ["clone3 openat2 unknown unknown-high"]),
  ...same("EAFNOSUPPORT", ["vsock packet alg bluetooth"]),
  ...same("EROFS", ["write/usr/zz write/etc/zz write/zz write/dev/zz"]),
  ...same("EACCES", [
    "read/proc/1/environ read/proc/1/mem read/proc/1/maps read/proc/1/root read/proc/1/fd",
    "read/proc/1/exe write/proc/sys/kernel/core_pattern",
  ]),
  ...same("ENOENT", ["read/dev/kmsg read/etc/shadow read/sys read/dev/vda"]),
  ...same("SIGSYS", [x64 ? "x32 int80" : ""]),
  "netlink-uevent": "EPROTONOSUPPORT",
  "prctl-unknown": "EINVAL",
  "setuid-root": "EINVAL",
  "kill-host": "ESRCH",
};
const allowed = same("ok", [
  "personality-linux prctl-name netlink-route inet inet6 unix openpt pts create sticky-chmod",
  "mknod-fifo tmpfile plain-garbage-mode",
]);

function same(outcome: string, names: string[]): Record<string, string> {
  const each = names.flatMap((line) => line.split(" ")).filter(Boolean);
  return Object.fromEntries(each.map((name) => [name, outcome]));
}

describe.skipIf(program === undefined).each(users)("inside a VM of $name", (user) => {
  let spawner: Spawner;
  let vm: Vm;
  beforeAll(async () => {
    if (program === undefined) throw new Error("no vmd");
    const escape = join(directory, "escape");
    if (!existsSync(escape)) {
      execFileSync("chmod", ["755", directory]);
      execFileSync("cc", ["-static", "-O1", "-o", escape, source]);
    }
    spawner = await Spawner.start(program, user);
    const node = dirname(realpathSync(process.execPath));
    const config = [system(escape, "/opt/escape")];
    if (node !== "/usr/bin") config.push(system(node, "/opt/node"));
    vm = await spawner.create({ config });
  });
  afterAll(() => spawner.stop());

  const output = async (script: string) => {
    const result = await vm.sh(script);
    return result.stdout + result.stderr;
  };

  it("nothing that leads out works, and what programs need does", async () => {
    const result = await vm.exec(["/opt/escape", String(process.pid), "/tmp"]);
    const lines = result.stdout.trim().split("\n");
    const outcomes = Object.fromEntries(lines.map((line) => line.split(" ")));
    // Landlock stands before the kernel's own answer.
    expect(["EACCES", "EPERM"]).toContain(outcomes["mknod-block"]);
    delete outcomes["mknod-block"];
    // Which of the two depends on the kernel's build.
    for (const name of ["write/proc/sysrq-trigger", "read/proc/kcore"]) {
      expect(["EACCES", "ENOENT"]).toContain(outcomes[name]);
      delete outcomes[name];
    }
    expect(outcomes).toEqual({ ...refusals, ...allowed });
  });

  it("nothing of the host shows", async () => {
    writeFileSync(join(directory, "host-file"), "");
    const seen = await output(
      "env; cat /proc/1/cmdline; tr '\\0' ' ' < /proc/self/environ; ls / /tmp /dev /run /home",
    );
    expect(seen).not.toMatch(/host|secret|vmd-|spawner/i);
    expect(await output("set -- /proc/[0-9]*; echo $#")).toBe("2\n");
    expect(await output("ls /proc/self/fd | wc -l")).toBe("4\n");
    expect(await output("tail -n +3 /proc/net/dev | cut -d: -f1; wc -l < /proc/net/unix")).toBe(
      "    lo\n1\n",
    );
    expect(await output("cut -d: -f3 /proc/self/cgroup | sort -u")).toBe("/\n");
    expect(await output("ls /dev | paste -sd' '")).toBe(
      "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n",
    );
    expect(await output("hostname; id -u; id -G; ulimit -c -n -u | awk '{print $NF}'")).toBe(
      "vm\n1000\n1000\n0\n4096\n512\n",
    );
  });

  it("no capability is left, and none can come back", async () => {
    const status = await output("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status");
    expect(status.replaceAll(/\s+/g, " ").trim()).toBe(
      ["Inh", "Prm", "Eff", "Bnd", "Amb"].map((set) => `Cap${set}: ${"0".repeat(16)}`).join(" ") +
        " NoNewPrivs: 1 Seccomp: 2",
    );
  });

  it("a loopback port of the host can't be reached", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    expect(await output(`exec 3<>/dev/tcp/127.0.0.1/${port}`)).toContain("Connection refused");
    server.close();
  });

  it("everything writable is bounded, in bytes and in files", async () => {
    const full = "No space left on device";
    expect(await output("head -c 100M /dev/zero > /tmp/x; rm /tmp/x")).toContain(full);
    expect(await output("head -c 100M /dev/zero > /run/x; rm /run/x")).toContain(full);
    expect(await output("head -c 100M /dev/zero > /dev/shm/x; rm /dev/shm/x")).toContain(full);
    const many = "for i in $(seq 20000); do : > /var/tmp/$i || break; done; rm -r /var/tmp/*";
    expect(await output(many)).toContain(full);
  });

  it("a fork bomb ends at the limit, and the neighbour answers", async () => {
    const bomb = await spawner.create();
    const neighbour = await spawner.create();
    const burst = bomb.exec(["sh", "-c", "for i in $(seq 600); do sleep 30 & done"]);
    expect((await neighbour.sh("echo here")).stdout).toBe("here\n");
    expect((await burst).stderr).toContain("Cannot fork");
    expect((await neighbour.sh("echo here")).stdout).toBe("here\n");
  });

  const programs: [string, string, RegExp][] = [
    [
      "node",
      `node -e 'const { Worker } = require("worker_threads"); new Worker("", { eval: true })
        .on("exit", () => require("child_process").exec("echo child", (e, o) => {
          process.stdout.write(o);
          require("http").createServer((q, r) => r.end("served\\n")).listen(8080, () =>
            fetch("http://127.0.0.1:8080").then((r) => r.text()).then((t) => {
              process.stdout.write(t);
              process.exit();
            }));
        }))'`,
      /^child\nserved\n$/,
    ],
    [
      "git",
      `git init -q g && cd g && git config user.email a@b && git config user.name a && echo x > f &&
       git add f && git commit -qm m && git clone -q . ../h && cd ../h && git gc -q && git log --oneline`,
      / m\n$/,
    ],
    [
      "python3",
      `/usr/bin/python3 -c 'import multiprocessing, subprocess, asyncio, threading
print(multiprocessing.Pool(2).map(abs, [-1]), subprocess.check_output(["echo", "sub"]))'`,
      /^\[1\] b'sub\\n'\n$/,
    ],
    ["gcc", `echo 'int main(){return 42;}' > a.c && gcc -o a a.c && ./a; echo $?`, /^42\n$/],
    ["perl", `perl -e 'if (!fork) { exit 3 } wait; print $? >> 8'`, /^3$/],
    ["npm", `npm --version`, /^\d+\.\d+/],
    [
      "bash",
      `set -m; sleep 9 & kill %1; wait %1; echo $?; cat <(echo sub) > /dev/stdout`,
      /143\nsub\n/,
    ],
    ["script", `script -qc tty /dev/null`, /\/dev\/pts\/0/],
  ];
  for (const [name, script, expected] of programs)
    it.runIf(existsSync(`/usr/bin/${name}`) || name === "node")(`runs ${name}`, async () => {
      expect(await output(script)).toMatch(expected);
    });
});
