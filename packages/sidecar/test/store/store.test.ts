import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { describe, expect, test } from "vitest";

import { BOUNDS } from "../../src/bounds.ts";
import { MIGRATIONS } from "../../src/store/migrations.ts";
import { poolKey } from "../../src/store/pool-key.ts";
import { Store } from "../../src/store/store.ts";

const KEY = Buffer.alloc(32, 7);
const KIB = 1024;

const VM = {
  key: "vm-a",
  user: "owner",
  spec: { vmId: "vm-a", name: "kept", env: { TOKEN: "a-secret-of-the-user" } },
  driver: "linux",
  record: { socketPath: "/run/x", pid: 7, cgroups: ["/a", "/b"], root: true },
  fence: 3,
  createdAt: "2026-01-01T00:00:00.000Z",
  startedMs: 12.5,
};
const ENDED = {
  key: "vm-a",
  user: "owner",
  vmId: "vm-a",
  name: "kept",
  reason: "ended",
  detail: undefined,
} as const;
const LEASE = { vmKey: "vm-a", leaseId: "l1", user: "owner", fence: 3, holder: "c-1" };

function directory(): Disposable & { path: string; file: string } {
  const path = mkdtempSync(join(tmpdir(), "st-"));
  return {
    path,
    file: join(path, "pool.sqlite"),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

const open = (path: string, maxBytes?: number) => new Store({ path, key: KEY, maxBytes });

describe("Store", () => {
  test("gives back what was written, to the next one that opens it, and nobody else can read or open it", () => {
    using home = directory();
    {
      using store = open(home.file);
      expect(store.restore()).toEqual({ vms: [], leases: [], isSameBoot: false, unreadable: 0 });
      store.addVm(VM);
      store.addLease(LEASE);
      store.addLease({ ...LEASE, leaseId: "l2", holder: "c-2" });
      store.startGrace("c-2", 99.5);
      store.setProcessesEnd("vm-a", 1_000);
      store.setNetwork("vm-a", { egress: "allow", hosts: ["a.test"] });
      expect(() => open(home.file)).toThrow(
        expect.objectContaining({
          code: "SIDECAR_START_FAILED",
          message: expect.stringContaining("another sidecar of the pool uses it"),
        }),
      );
      for (const name of readdirSync(home.path))
        expect(readFileSync(join(home.path, name)).includes("a-secret")).toBe(false);
    }
    expect(statSync(home.file).mode & 0o777).toBe(0o600);
    using next = open(home.file);
    expect(next.restore()).toEqual({
      vms: [{ ...VM, processesEndMs: 1_000, network: { egress: "allow", hosts: ["a.test"] } }],
      leases: [
        { ...LEASE, expiresMs: undefined },
        { ...LEASE, leaseId: "l2", holder: "c-2", expiresMs: 99.5 },
      ],
      isSameBoot: true,
      unreadable: 0,
    });
  });

  test("a VM goes with its leases; a takeover raises the fence and ends what is below it at once", () => {
    using store = new Store({ key: KEY });
    store.addVm(VM);
    store.addLease(LEASE);
    store.takeOver({ ...LEASE, leaseId: "l9", fence: 4, holder: "c-9" });
    expect(store.restore()).toMatchObject({
      vms: [{ fence: 4 }],
      leases: [{ leaseId: "l9", fence: 4 }],
    });
    expect(() => store.takeOver({ ...LEASE, vmKey: "no such VM", fence: 6 })).toThrow(
      /not be written/,
    );
    expect(store.restore().leases).toHaveLength(1);
    store.buryVm(ENDED);
    expect(store.restore()).toMatchObject({ vms: [], leases: [] });
  });

  test("[lease.expiry] of a renewal and an end of one lease only the first takes effect", () => {
    using store = new Store({ key: KEY });
    store.addVm(VM);
    store.addLease(LEASE);
    store.startGrace("c-1", 5);
    expect(store.renewLease(LEASE, "c-2")).toBe(true);
    expect(store.endLease(LEASE)).toBe(false);
    expect(store.renewLease(LEASE, "c-3")).toBe(false);
    const renewed = { ...LEASE, holder: "c-2" };
    expect(store.restore().leases).toEqual([{ ...renewed, expiresMs: undefined }]);
    expect(store.endLease({ ...renewed, fence: 2 })).toBe(false);
    expect(store.endLease(renewed)).toBe(true);
    expect(store.renewLease(renewed, "c-4")).toBe(false);
  });

  test("how a VM ended is told by id and by the last name, of the last ones", () => {
    using home = directory();
    {
      using store = open(home.file);
      store.addVm(VM);
      store.buryVm(ENDED);
      store.buryVm({
        ...ENDED,
        key: "u_x",
        user: "bob",
        vmId: "vm-a",
        reason: "died",
        detail: "x",
      });
    }
    using store = open(home.file);
    expect(store.endedVm("vm-a")).toEqual(ENDED);
    expect(store.endedVmNamed("owner", "kept")).toEqual(ENDED);
    expect(store.endedVmNamed("bob", "kept")).toMatchObject({ reason: "died", detail: "x" });
    expect([store.endedVm("vm-b"), store.endedVmNamed("eve", "kept")]).toEqual([
      undefined,
      undefined,
    ]);
    for (let count = 0; count < BOUNDS.endedVms; count += 1)
      store.buryVm({ ...ENDED, key: `vm-${count}`, name: undefined });
    expect(store.endedVm("vm-a")).toBe(undefined);
    expect(store.endedVm("vm-0")).toMatchObject({ reason: "ended" });
  });

  test("[store.newer] a file of a newer version is refused and stays as it was", () => {
    using home = directory();
    open(home.file)[Symbol.dispose]();
    {
      using database = new DatabaseSync(home.file);
      database.exec(`PRAGMA journal_mode = DELETE; PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    }
    const before = readFileSync(home.file);
    expect(() => open(home.file)).toThrow(
      expect.objectContaining({
        code: "SIDECAR_START_FAILED",
        message: expect.stringContaining(
          `version ${MIGRATIONS.length + 1}, this sidecar knows up to ${MIGRATIONS.length}: a newer AgentOS`,
        ),
      }),
    );
    expect(readFileSync(home.file).equals(before)).toBe(true);
    expect(readdirSync(home.path)).toEqual(["pool.sqlite"]);
  });

  test("[store.damaged] a damaged file is refused, named, and stays as it was", () => {
    using home = directory();
    {
      using store = open(home.file);
      store.addVm(VM);
    }
    const damaged = readFileSync(home.file).fill(0xff, 100, 6_000);
    for (const bytes of [Buffer.from("no database at all".repeat(99)), damaged]) {
      writeFileSync(home.file, bytes);
      const attempt = () => {
        using store = open(home.file);
        store.restore();
      };
      expect(attempt).toThrow(
        expect.objectContaining({
          code: "SIDECAR_START_FAILED",
          message: expect.stringMatching(
            /the state file .*pool\.sqlite is not usable: .*Move it away to start without/,
          ),
        }),
      );
      expect(readFileSync(home.file).equals(bytes)).toBe(true);
    }
  });

  test("[store.full] a full store refuses what is new, half-writes nothing, and still lets things end", () => {
    using home = directory();
    using store = open(home.file, 256 * KIB);
    store.restore();
    const large = { ...VM, spec: { ...VM.spec, env: { A: "x".repeat(9_000) } } };
    let count = 0;
    const fill = () => {
      for (; count < 1_000; count += 1) store.addVm({ ...large, key: `vm-${count}` });
    };
    expect(fill).toThrow(
      expect.objectContaining({
        code: "INTERNAL",
        message: expect.stringMatching(/state could not be written: .*full/),
      }),
    );
    expect(count).toBeGreaterThan(0);
    expect(store.restore().vms).toHaveLength(count);
    for (const key of ["vm-0", "vm-1"]) store.buryVm({ ...ENDED, key });
    store.addVm({ ...large, key: "vm-again" });
    expect(store.restore().vms).toHaveLength(count - 1);
  });

  test("a file in a folder that can't be written is refused", () => {
    expect(() => open("/proc/pool.sqlite")).toThrow(
      expect.objectContaining({ code: "SIDECAR_START_FAILED" }),
    );
  });

  test("rows that were sealed with another key are dropped and counted", () => {
    using home = directory();
    {
      using store = open(home.file);
      store.restore();
      store.addVm(VM);
      store.addLease(LEASE);
    }
    using store = new Store({ path: home.file, key: Buffer.alloc(32, 8) });
    expect(store.restore()).toMatchObject({ vms: [], unreadable: 1 });
    expect(store.restore()).toMatchObject({ vms: [], leases: [], unreadable: 0 });
  });
});

describe("poolKey", () => {
  test("makes 32 random bytes once, for its user only, and refuses anything else", async () => {
    using home = directory();
    const path = join(home.path, "pool.key");
    const keys = await Promise.all([poolKey(path), poolKey(path)]);
    expect(keys[0]).toEqual(keys[1]);
    expect(keys[0]).toHaveLength(32);
    expect(await poolKey(path)).toEqual(keys[0]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(home.path)).toEqual(["pool.key"]);
    writeFileSync(path, "short");
    await expect(poolKey(path)).rejects.toMatchObject({
      code: "SIDECAR_START_FAILED",
      message: expect.stringContaining("expected 32 bytes, it has 5"),
    });
  });
});
