import assert from "node:assert/strict";

import { FakeClock } from "@agentos/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { BOUNDS } from "../../src/bounds.ts";
import { LeaseTable } from "../../src/leases/lease-table.ts";
import { Store } from "../../src/store/store.ts";

const GRACE_MS = 1_000;

interface Modelled {
  holder: string;
  fence: number;
  /** Undefined: held. */
  expiresAt: number | undefined;
}

/** The rules again, as plainly as they can be said. */
class Model {
  readonly leases = new Map<string, Modelled>();
  readonly ended: string[] = [];
  now = 0;

  static key(vm: string, lease: string): string {
    return `${vm}/${lease}`;
  }

  of(vm: string): [string, Modelled][] {
    return [...this.leases].filter(([key]) => key.startsWith(`${vm}/`));
  }

  end(key: string, why: string): void {
    if (this.leases.delete(key)) this.ended.push(`${key} ${why}`);
  }

  restart(outageMs: number): void {
    this.advance(outageMs);
    for (const lease of this.leases.values()) lease.expiresAt ??= this.now + GRACE_MS;
  }

  advance(ms: number): void {
    this.now += ms;
    const due = [...this.leases].filter(([, { expiresAt }]) => (expiresAt ?? Infinity) <= this.now);
    for (const [key] of due) this.end(key, "expired");
  }
}

const KEY = new Uint8Array(32);

/** A table on a real store, which another table can take over. */
class Real {
  clock = new FakeClock();
  readonly store = new Store({ key: KEY });
  readonly ended: string[] = [];
  table = this.#open();

  constructor() {
    for (const vm of ["vm1", "vm2"]) this.addVm(vm);
  }

  addVm(key: string): void {
    const facts = { user: "owner", driver: "fake", record: undefined, createdAt: "", startedMs: 0 };
    this.store.addVm({ key, fence: 1, spec: { vmId: key }, ...facts });
  }

  /** The sidecar is killed, and its timers with it; later the next one begins. */
  restart(outageMs: number): void {
    const clock = new FakeClock();
    clock.advance(this.clock.now() + outageMs);
    this.clock = clock;
    this.table = this.#open();
    for (const lease of this.store.restore().leases) {
      const { vmKey, leaseId } = lease;
      if (!this.table.restore(lease)) this.ended.push(`${vmKey}/${leaseId} expired`);
    }
  }

  /** In the store and in the table. */
  stored(): unknown[] {
    return this.store.restore().leases.map(({ vmKey, leaseId, holder, fence, expiresMs }) => ({
      key: `${vmKey}/${leaseId}`,
      holder,
      fence,
      expiresAt: expiresMs,
    }));
  }

  #open(): LeaseTable {
    return new LeaseTable({
      clock: this.clock,
      store: this.store,
      graceMs: GRACE_MS,
      onEnded: ({ vmKey, leaseId }, why) => this.ended.push(`${vmKey}/${leaseId} ${why}`),
      onFault: (error) => {
        throw error;
      },
    });
  }
}

const vms = fc.constantFrom("vm1", "vm2");
const leases = fc.constantFrom("a", "b", "c");
const holders = fc.constantFrom("x", "y");

class Command implements fc.Command<Model, Real> {
  readonly #name: string;
  readonly #run: (model: Model, real: Real) => void;

  constructor(name: string, run: (model: Model, real: Real) => void) {
    this.#name = name;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    this.#run(model, real);
    // Several that fall due at once have no order among themselves.
    assert.deepEqual(real.ended.toSorted(), model.ended.toSorted());
    assert.equal(real.table.size, model.leases.size);
    for (const vm of ["vm1", "vm2"]) {
      const seen = real.table
        .of(vm)
        .map(({ leaseId, holder, fence, state }) => ({ leaseId, holder, fence, state }));
      const expected = model.of(vm).map(([key, { holder, fence, expiresAt }]) => ({
        leaseId: key.split("/")[1],
        holder,
        fence,
        state: expiresAt === undefined ? "held" : "grace",
      }));
      assert.deepEqual(seen, expected);
      for (const holder of ["x", "y"]) {
        const holds = expected.some((lease) => lease.holder === holder && lease.state === "held");
        assert.equal(real.table.heldBy(holder, vm) !== undefined, holds);
      }
    }
  }

  toString(): string {
    return this.#name;
  }
}

const request = (vmKey: string, leaseId: string, holder: string, fence: number) => ({
  user: "owner",
  vmKey,
  leaseId,
  holder,
  fence,
});

const commands = [
  fc.tuple(vms, leases, holders, fc.integer({ min: 1, max: 3 })).map(
    ([vm, lease, holder, fence]) =>
      new Command(`acquire ${vm}/${lease} ${holder} ${fence}`, (model, real) => {
        real.table.acquire(request(vm, lease, holder, fence));
        const key = Model.key(vm, lease);
        const known = model.leases.get(key);
        if (known === undefined) model.leases.set(key, { holder, fence, expiresAt: undefined });
        else Object.assign(known, { holder, expiresAt: undefined });
      }),
  ),
  fc.tuple(vms, leases, holders).map(
    ([vm, lease, holder]) =>
      new Command(`resume ${vm}/${lease} ${holder}`, (model, real) => {
        const known = model.leases.get(Model.key(vm, lease));
        const resume = () => real.table.resume(request(vm, lease, holder, 1));
        if (known === undefined) {
          assert.throws(resume, { code: "NOT_FOUND" });
          return;
        }
        resume();
        Object.assign(known, { holder, expiresAt: undefined });
      }),
  ),
  fc.tuple(vms, leases).map(
    ([vm, lease]) =>
      new Command(`release ${vm}/${lease}`, (model, real) => {
        real.table.release(vm, lease);
        model.end(Model.key(vm, lease), "released");
      }),
  ),
  holders.map(
    (holder) =>
      new Command(`lost ${holder}`, (model, real) => {
        real.table.connectionLost(holder);
        for (const lease of model.leases.values()) {
          if (lease.holder === holder) lease.expiresAt ??= model.now + GRACE_MS;
        }
      }),
  ),
  fc.tuple(vms, holders, fc.uuid()).map(
    ([vm, holder, id]) =>
      new Command(`take over ${vm} ${holder}`, (model, real) => {
        const fence = Math.max(0, ...model.of(vm).map(([, lease]) => lease.fence)) + 1;
        const raised: number[] = [];
        real.table.takeOver(request(vm, id, holder, fence), () => raised.push(fence));
        assert.deepEqual(raised, [fence]);
        for (const [key] of model.of(vm)) model.end(key, "fenced");
        model.leases.set(Model.key(vm, id), { holder, fence, expiresAt: undefined });
      }),
  ),
  vms.map(
    (vm) =>
      new Command(`drop ${vm}`, (model, real) => {
        real.store.removeVm(vm);
        real.addVm(vm);
        real.table.dropVm(vm);
        for (const [key] of model.of(vm)) model.leases.delete(key);
      }),
  ),
  fc.integer({ min: 0, max: 1_500 }).map(
    (outageMs) =>
      new Command(`killed for ${outageMs}`, (model, real) => {
        real.restart(outageMs);
        model.restart(outageMs);
      }),
  ),
  fc.integer({ min: 1, max: 1_500 }).map(
    (ms) =>
      new Command(`advance ${ms}`, (model, real) => {
        real.clock.advance(ms);
        model.advance(ms);
      }),
  ),
];

describe("LeaseTable", () => {
  test("behaves as its model does, whatever happens in whatever order", () => {
    const property = fc.property(fc.commands(commands, { maxCommands: 60 }), (run) => {
      fc.modelRun(() => ({ model: new Model(), real: new Real() }), run);
    });
    expect(fc.check(property, { numRuns: 300 })).toMatchObject({ failed: false });
  });

  test("has a bound on the leases of one VM, and names it", () => {
    const { table } = new Real();
    for (let index = 0; index < BOUNDS.leasesPerVm; index += 1)
      table.acquire(request("vm1", `l${index}`, "x", 1));
    expect(() => table.acquire(request("vm1", "one more", "x", 1))).toThrow(
      expect.objectContaining({
        code: "POOL_EXHAUSTED",
        details: { limit: "leasesPerVm", capacity: BOUNDS.leasesPerVm, waiting: 0 },
      }),
    );
    expect(table.acquire(request("vm2", "l", "x", 1)).leaseId).toBe("l");
  });
});
