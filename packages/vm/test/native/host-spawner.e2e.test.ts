import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, describe, expect, it, test } from "vitest";

import { failure, field, frame, type Frame, Kind, Link, u32, u64 } from "./host-link.ts";
import { buildVmd, hostPrograms, isRoot, Spawner, users } from "./host-vmd.ts";

const program = buildVmd();
const EPERM = 1;
const ESRCH = 3;
const EEXIST = 17;
const EINVAL = 22;
const EADDRINUSE = 98;

const running: Spawner[] = [];
async function start(user = users[0]): Promise<Spawner> {
  if (program === undefined || user === undefined) throw new Error("no vmd");
  const spawner = await Spawner.start(program, user);
  running.push(spawner);
  return spawner;
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((spawner) => spawner.stop()));
});

const text = (received: Frame | undefined) => received?.payload.toString();
const alive = (pid: number) => existsSync(`/proc/${pid}`);

describe.skipIf(program === undefined)("vmd probe", () => {
  for (const user of users)
    test(`says that ${user.name} can have VMs here`, async () => {
      const { directory } = await start(user);
      const ids = isRoot ? { uid: user.uid, gid: user.uid } : {};
      const output = execFileSync(join(directory, "vmd"), ["probe"], { ...ids, cwd: "/" });
      expect(JSON.parse(output.toString())).toEqual({
        ok: true,
        link: 3,
        walls: expect.any(Number),
      });
    });
});

describe.skipIf(program === undefined)("CREATE", () => {
  for (const user of users)
    it(`makes a VM for ${user.name}, whose processes are under its PID 1`, async () => {
      const spawner = await start(user);
      const vm = await spawner.create({ id: "one" });
      expect(statSync(join(spawner.directory, "one.sock")).mode & 0o777).toBe(0o600);
      expect(readFileSync(`/proc/${vm.pid}/status`, "utf8")).toMatch(/^NSpid:\t\d+\t1$/m);
      const result = await vm.sh("echo out; echo err >&2; exit 7");
      expect(result).toEqual({ code: 7, signal: 0, stdout: "out\n", stderr: "err\n" });
    });

  it("answers before CONFIG, and waits with the sealed part", async () => {
    const spawner = await start();
    const link = await spawner.connect();
    link.send(spawner.createFrame());
    const launched = await link.next();
    expect(launched?.kind).toBe(Kind.launched);
    link.send(frame(Kind.ping));
    expect((await link.next())?.kind).toBe(Kind.pong);
    link.send(frame(Kind.config, Buffer.concat(hostPrograms())));
    expect((await link.next())?.kind).toBe(Kind.ready);
  });

  const refused: [string, (spawner: Spawner) => Buffer, number, string][] = [
    ["an unknown field", (s) => s.createFrame({ create: [field(9, "x")] }), EINVAL, "field"],
    ["a field twice", (s) => s.createFrame({ create: [field(3, u64(2))] }), EINVAL, "epoch"],
    ["a bad id", (s) => s.createFrame({ id: "a/b", socketPath: "/tmp/x" }), EINVAL, "vmId"],
    ["a long id", (s) => s.createFrame({ id: "a".repeat(65), socketPath: "/x" }), EINVAL, "vmId"],
    ["a relative socket", (s) => s.createFrame({ socketPath: "x" }), EINVAL, "socketPath"],
    ["a path upwards", (s) => s.createFrame({ cgroups: ["/sys/../x"] }), EINVAL, "cgroup"],
    ["a cut field", () => frame(Kind.create, field(1, "abc").subarray(0, 8)), EINVAL, "create"],
    ["nothing", () => frame(Kind.create), EINVAL, "create"],
    ["a missing cgroup", (s) => s.createFrame({ cgroups: ["/nowhere"] }), 2, "cgroup"],
  ];
  for (const [name, make, errno, step] of refused)
    it(`refuses ${name}`, async () => {
      const spawner = await start();
      const link = await spawner.connect();
      link.send(make(spawner));
      expect(failure(await link.next())).toEqual({ errno, step });
      expect(await link.next()).toBeUndefined();
    });

  it("refuses an id in use, and a socket path in use, whose file stays", async () => {
    const spawner = await start();
    const vm = await spawner.create({ id: "same" });
    await expect(spawner.create({ id: "same" })).rejects.toThrow(`FAIL ${EEXIST} vmId`);
    const socketPath = join(spawner.directory, "same.sock");
    await expect(spawner.create({ socketPath })).rejects.toThrow(`FAIL ${EADDRINUSE} socketPath`);
    expect(existsSync(socketPath)).toBe(true);
    expect((await vm.sh("true")).code).toBe(0);
  });

  it.runIf(isRoot)("never maps a VM to the host's root", async () => {
    const spawner = await start();
    await expect(spawner.create({ hostUid: 0 })).rejects.toThrow(`FAIL ${EPERM} host-ids`);
  });

  it("refuses an ordinary user's choice of host ids", async () => {
    const spawner = await start(users.at(-1));
    const create = [field(5, u32(4242)), field(6, u32(4242))];
    await expect(spawner.create({ create })).rejects.toThrow(`FAIL ${EPERM} host-ids`);
  });

  it("closes a connection with an unknown kind or too long a frame", async () => {
    const spawner = await start();
    for (const bytes of [frame(0x77), frame(Kind.create, Buffer.alloc(9000))]) {
      const link = await spawner.connect();
      link.send(bytes);
      expect(await link.next()).toBeUndefined();
    }
  });

  it("gives up on half a request after 5 s, and serves others meanwhile", async () => {
    const spawner = await start();
    const link = await spawner.connect();
    const started = performance.now();
    link.send(spawner.createFrame().subarray(0, 30));
    const vm = await spawner.create();
    expect((await vm.sh("true")).code).toBe(0);
    expect(await link.next()).toBeUndefined();
    expect(performance.now() - started).toBeGreaterThan(4500);
    expect(performance.now() - started).toBeLessThan(7000);
  });

  it("holds 1,024 waiting requests and refuses the next", async () => {
    const spawner = await start();
    const links = await Promise.all(Array.from({ length: 1024 }, () => spawner.connect()));
    const refusal = await spawner.connect();
    expect(failure(await refusal.next())).toEqual({ errno: 11, step: "pending" });
    links[0]?.close();
    await sleep(50);
    expect((await (await spawner.create()).sh("true")).code).toBe(0);
    for (const link of links) link.close();
  });

  it.runIf(isRoot)("drops peers that are another user", async () => {
    const spawner = await start();
    execFileSync("chmod", ["-R", "a+rwx", spawner.directory]);
    const link = await Link.open(spawner.socketPath, 4242);
    link.send(frame(Kind.watch));
    expect(await link.next()).toBeUndefined();
  });
});

describe.skipIf(program === undefined)("the end of a VM", () => {
  it("is told to watchers after the cleaning", async () => {
    const spawner = await start();
    const vm = await spawner.create({ id: "first" });
    const watcher = await spawner.connect();
    watcher.send(frame(Kind.watch));
    const live = await watcher.next();
    expect([live?.kind, text(live)]).toEqual([Kind.live, "first"]);
    const end = await watcher.next();
    expect([end?.kind, end?.payload.length]).toEqual([Kind.end, 1]);
    vm.link.send(frame(Kind.shutdown));
    const gone = await watcher.next();
    expect([gone?.kind, text(gone)]).toEqual([Kind.gone, "first"]);
    expect(existsSync(join(spawner.directory, "first.sock"))).toBe(false);
    expect(alive(vm.pid)).toBe(false);
    await spawner.create({ id: "first" });
  });

  it("comes with KILL, also before CONFIG, and takes every process along", async () => {
    const spawner = await start();
    const vm = await spawner.create({ id: "busy" });
    await vm.sh("setsid sleep 1000 & setsid sleep 1000 &");
    const pooled = await spawner.connect();
    pooled.send(spawner.createFrame({ id: "pooled" }));
    await pooled.next();
    const watcher = await spawner.connect();
    watcher.send(frame(Kind.watch));
    for (let i = 0; i < 3; i++) await watcher.next();
    for (const id of ["busy", "pooled"]) {
      const killer = await spawner.connect();
      killer.send(frame(Kind.kill, field(1, id)));
      expect(await killer.next()).toBeUndefined();
      expect(text(await watcher.next())).toBe(id);
    }
    expect(alive(vm.pid)).toBe(false);
    const killer = await spawner.connect();
    killer.send(frame(Kind.kill, field(1, "busy")));
    expect(failure(await killer.next())).toEqual({ errno: ESRCH, step: "vmId" });
  });

  it("has at most 64 watchers, and a place is free again when one goes", async () => {
    const spawner = await start();
    const watch = async () => {
      const link = await spawner.connect();
      link.send(frame(Kind.watch));
      return { link, first: await link.next() };
    };
    const watchers = await Promise.all(Array.from({ length: 64 }, watch));
    expect(failure((await watch()).first)).toEqual({ errno: 11, step: "watchers" });
    watchers[0]?.link.close();
    await sleep(50);
    expect((await watch()).first?.kind).toBe(Kind.end);
  });

  it("follows a create that failed", async () => {
    const spawner = await start();
    const watcher = await spawner.connect();
    watcher.send(frame(Kind.watch));
    await watcher.next();
    await expect(spawner.create({ id: "bad", cgroups: ["/nowhere"] })).rejects.toThrow("FAIL 2");
    expect(text(await watcher.next())).toBe("bad");
    expect(existsSync(join(spawner.directory, "bad.sock"))).toBe(false);
  });

  const controller = "/sys/fs/cgroup/pids";
  it.runIf(isRoot && existsSync(controller))("removes its cgroups", async () => {
    const spawner = await start();
    const cgroup = join(controller, `vmd-test-${process.pid}`);
    mkdirSync(cgroup);
    writeFileSync(join(cgroup, "pids.max"), "40");
    const vm = await spawner.create({ id: "limited", cgroups: [cgroup] });
    const watcher = await spawner.connect();
    watcher.send(frame(Kind.watch));
    await watcher.next();
    await watcher.next();
    // Not bash, which goes on trying for 15 s.
    const bomb = await vm.exec(["sh", "-c", "for i in $(seq 100); do sleep 100 & done"]);
    expect(bomb.stderr).toContain("Cannot fork");
    vm.link.close();
    const killer = await spawner.connect();
    killer.send(frame(Kind.kill, field(1, "limited")));
    expect(text(await watcher.next())).toBe("limited");
    expect(existsSync(cgroup)).toBe(false);
  });
});

describe.skipIf(program === undefined)("the spawner", () => {
  it("ends with its sidecar when no VM lives", async () => {
    const spawner = await start();
    spawner.child.stdin?.end();
    await once(spawner.child, "exit");
    expect(spawner.child.exitCode).toBe(0);
    expect(existsSync(spawner.socketPath)).toBe(false);
  });

  it("goes on without its sidecar while a VM lives", async () => {
    const spawner = await start();
    const vm = await spawner.create();
    spawner.child.stdin?.end();
    await sleep(100);
    expect((await vm.sh("echo still")).stdout).toBe("still\n");
    const watcher = await spawner.connect();
    watcher.send(frame(Kind.watch));
    expect((await watcher.next())?.kind).toBe(Kind.live);
    vm.link.send(frame(Kind.shutdown));
    await once(spawner.child, "exit");
    expect(existsSync(spawner.socketPath)).toBe(false);
  });

  it("kills its VMs at SIGTERM and leaves nothing", async () => {
    const spawner = await start();
    const vms = await Promise.all(Array.from({ length: 8 }, () => spawner.create()));
    const left = readdirSync(spawner.directory);
    expect(left.filter((name) => name.endsWith(".sock"))).toHaveLength(8);
    const exited = once(spawner.child, "exit");
    spawner.child.kill("SIGTERM");
    await exited;
    expect(spawner.child.exitCode).toBe(0);
    expect(readdirSync(spawner.directory)).toEqual(["vmd"]);
    expect(vms.filter((vm) => alive(vm.pid))).toEqual([]);
    expect(spawner.stderr).toBe("");
  });

  it("leaves its VMs alone when it is killed itself", async () => {
    const spawner = await start();
    const vm = await spawner.create();
    const exited = once(spawner.child, "exit");
    spawner.child.kill("SIGKILL");
    await exited;
    expect((await vm.sh("echo still")).stdout).toBe("still\n");
    vm.link.send(frame(Kind.shutdown));
    expect(await vm.link.next()).toBeUndefined();
  });

  it("takes over the socket file of a dead one, not of a living one", async () => {
    const spawner = await start();
    const own = join(spawner.directory, "vmd");
    const second = () =>
      execFileSync(own, ["spawner", spawner.socketPath], { stdio: ["ignore", "pipe", "pipe"] });
    expect(second).toThrow(/"step":"socket","errno":"EADDRINUSE"/);
    const exited = once(spawner.child, "exit");
    spawner.child.kill("SIGKILL");
    await exited;
    expect(second().toString()).toBe("ready\n");
  });
});
