import { readdirSync } from "node:fs";

import {
  AgentOs,
  decodeSidecarState,
  disposeSharedSidecars,
  encodeSidecarState,
} from "@agentos/client";
import { SIDECAR_STATES } from "@agentos/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";

import { sidecarCore } from "../../src/sidecar/agent-os-sidecar.ts";
import { sharedSidecar } from "../../src/sidecar/shared-sidecars.ts";
import { temporaryDirectory } from "../scripted-sidecar.ts";

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await disposeSharedSidecars();
  directory[Symbol.dispose]();
});

test("[P1] [P3] a handle comes from async statics, describes itself at once and is disposed asynchronously", async () => {
  const pending = AgentOs.getSharedSidecar();
  expect(pending).toBeInstanceOf(Promise);
  const explicit = AgentOs.createSidecar();
  expect(explicit).toBeInstanceOf(Promise);
  const handle = await pending;
  expect(handle.describe()).toMatchObject({
    sidecarId: expect.any(String),
    placement: {},
    state: "ready",
    activeVmCount: 0,
  });
  expect(handle.dispose()).toBeInstanceOf(Promise);
  expect((await explicit).describe().state).toBe("ready");
});

test("[P2] creating and ending VMs at a sidecar appears nowhere on AgentOs or a handle", async () => {
  const handle = await AgentOs.createSidecar();
  const names = [AgentOs, AgentOs.prototype, Object.getPrototypeOf(handle), handle].flatMap(
    (value: object) => Reflect.ownKeys(value).map(String),
  );
  expect(
    names.filter((name) =>
      /^(createVm|getVmAdmin|disposeVm|lease|admin|connection|core)$/i.test(name),
    ),
  ).toEqual([]);
});

test("[P4] [P5] [P11] a new handle is ready with count 0, and neither making nor describing it starts or touches anything", async () => {
  const runtimeDirectory = `${directory.path}/run`;
  const shared = await AgentOs.getSharedSidecar({ runtimeDirectory });
  const explicit = await AgentOs.createSidecar({ runtimeDirectory });
  expect(
    [shared.describe(), explicit.describe()].map(({ state, activeVmCount }) => [
      state,
      activeVmCount,
    ]),
  ).toEqual([
    ["ready", 0],
    ["ready", 0],
  ]);
  expect(sidecarCore(shared).sharedPool).toBe("default");
  expect(sidecarCore(explicit).sharedPool).toBeUndefined();
  expect(readdirSync(directory.path)).toEqual([]);
});

test("[P6] [P7] the states are three, number 0 to 2, and any other number is disposed", () => {
  expect(SIDECAR_STATES).toEqual(["ready", "disposing", "disposed"]);
  expect(SIDECAR_STATES.map(encodeSidecarState)).toEqual([0, 1, 2]);
  expect([0, 1, 2, 3, 255, -1, Number.NaN].map(decodeSidecarState)).toEqual([
    "ready",
    "disposing",
    "disposed",
    "disposed",
    "disposed",
    "disposed",
    "disposed",
  ]);
});

test("[P8] [P9] [P10] [P13] a description is exactly id, placement, state and count; a pool that is missing is an absent key", async () => {
  const shared = await AgentOs.getSharedSidecar({ pool: "blue" });
  expect(json(shared.describe())).toStrictEqual({
    sidecarId: "agent-os-shared-sidecar:blue",
    placement: { kind: "shared", pool: "blue" },
    state: "ready",
    activeVmCount: 0,
  });
  const explicit = await AgentOs.createSidecar({ sidecarId: "mine" });
  expect(json(explicit.describe())).toStrictEqual({
    sidecarId: "mine",
    placement: { kind: "explicit", sidecarId: "mine" },
    state: "ready",
    activeVmCount: 0,
  });
  const nameless = await AgentOs.getSharedSidecar({ pool: "" });
  expect(Object.keys(nameless.describe().placement)).toEqual(["kind"]);
});

test("[P12] a description is a fresh deep copy", async () => {
  const handle = await AgentOs.getSharedSidecar({ pool: "blue" });
  const first = handle.describe();
  expect(handle.describe()).not.toBe(first);
  first.state = "disposed";
  if (first.placement.kind === "shared") first.placement.pool = "red";
  expect(handle.describe()).toMatchObject({ state: "ready", placement: { pool: "blue" } });
});

test("[P14] [P15] an explicit sidecar has the caller's id or agent-os-sidecar-<uuid>, and its placement repeats it", async () => {
  const mine = (await AgentOs.createSidecar({ sidecarId: "mine" })).describe();
  expect([mine.sidecarId, mine.placement]).toEqual([
    "mine",
    { kind: "explicit", sidecarId: "mine" },
  ]);
  const given = (await AgentOs.createSidecar()).describe();
  expect(given.sidecarId).toMatch(
    /^agent-os-sidecar-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(given.placement).toEqual({ kind: "explicit", sidecarId: given.sidecarId });
});

test("[P16] every createSidecar is a new handle in no pool", async () => {
  const first = await AgentOs.createSidecar({ sidecarId: "default" });
  const second = await AgentOs.createSidecar({ sidecarId: "default" });
  expect(second).not.toBe(first);
  expect(await AgentOs.getSharedSidecar({ pool: "default" })).not.toBe(first);
});

test("[P17] [P19] the default pool is named default, and a shared handle's id says its pool", async () => {
  const handle = await AgentOs.getSharedSidecar();
  expect(handle.describe()).toMatchObject({
    sidecarId: "agent-os-shared-sidecar:default",
    placement: { kind: "shared", pool: "default" },
  });
  expect(await AgentOs.getSharedSidecar({ pool: "default" })).toBe(handle);
});

test("[P18] [P21] the pool map is one per program: a handle that is not disposed is returned again", async () => {
  const handle = await AgentOs.getSharedSidecar({ pool: "blue" });
  expect(await AgentOs.getSharedSidecar({ pool: "blue" })).toBe(handle);
  expect(await AgentOs.getSharedSidecar({ pool: "red" })).not.toBe(handle);
  const disposal = handle.dispose();
  expect(handle.describe().state).toBe("disposing");
  expect(sharedSidecar("blue")).toBe(sidecarCore(handle));
  await disposal;
});

test("[P20] [T6] the empty pool name counts as given, and its entry is removed like any other", async () => {
  const handle = await AgentOs.getSharedSidecar({ pool: "" });
  expect(handle.describe()).toMatchObject({
    sidecarId: "agent-os-shared-sidecar:",
    placement: { kind: "shared" },
  });
  expect(sidecarCore(handle).sharedPool).toBe("");
  expect(await AgentOs.getSharedSidecar({ pool: "" })).toBe(handle);
  expect(await AgentOs.getSharedSidecar()).not.toBe(handle);
  await handle.dispose();
  expect(await AgentOs.getSharedSidecar({ pool: "" })).not.toBe(handle);
});

test("[P22] after a dispose a fresh handle is made and cached", async () => {
  const first = await AgentOs.getSharedSidecar();
  await first.dispose();
  const second = await AgentOs.getSharedSidecar();
  expect(second).not.toBe(first);
  expect(second.describe().state).toBe("ready");
  expect(await AgentOs.getSharedSidecar()).toBe(second);
});

test("[P23] racing callers end with the same live handle, also over a disposed one", async () => {
  const stale = await AgentOs.getSharedSidecar();
  await stale.dispose();
  const racers = await Promise.all(Array.from({ length: 50 }, () => AgentOs.getSharedSidecar()));
  expect(new Set(racers).size).toBe(1);
  expect(racers[0]).not.toBe(stale);
});

test("[P24] only dispose removes a cache entry", async () => {
  const handle = await AgentOs.getSharedSidecar();
  for (let round = 0; round < 100; round += 1)
    expect(await AgentOs.getSharedSidecar()).toBe(handle);
  await handle.dispose();
  expect(await AgentOs.getSharedSidecar()).not.toBe(handle);
});

test("[P42] disposing a disposed handle does nothing", async () => {
  const handle = await AgentOs.getSharedSidecar();
  await handle.dispose();
  await handle.dispose();
  expect(handle.describe().state).toBe("disposed");
});

test("[P46] [D3] a disposed handle leaves its successor in the cache", async () => {
  const first = await AgentOs.getSharedSidecar();
  await first.dispose();
  const successor = await AgentOs.getSharedSidecar();
  expect(successor.describe().sidecarId).toBe(first.describe().sidecarId);
  await first.dispose();
  expect(await AgentOs.getSharedSidecar()).toBe(successor);
});

test("[T7] something else in a handle's place is refused", async () => {
  for (const sidecar of [{}, { describe: () => ({}), dispose: async () => {} }, "default", null]) {
    const options: object = { sidecar };
    await expect(AgentOs.create(options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "Unknown Agent OS sidecar handle",
    });
  }
});

test("[T8] every cached sidecar can be disposed at once", async () => {
  const handles = await Promise.all(
    ["a", "b", "c"].map((pool) => AgentOs.getSharedSidecar({ pool })),
  );
  await disposeSharedSidecars();
  expect(handles.map((handle) => handle.describe().state)).toEqual([
    "disposed",
    "disposed",
    "disposed",
  ]);
});

test("[U6] one pool has one configuration", async () => {
  const handle = await AgentOs.getSharedSidecar({ pool: "blue", leaseGraceMs: 100 });
  expect(await AgentOs.getSharedSidecar({ pool: "blue" })).toBe(handle);
  expect(await AgentOs.getSharedSidecar({ pool: "blue", leaseGraceMs: 100 })).toBe(handle);
  await expect(AgentOs.getSharedSidecar({ pool: "blue", leaseGraceMs: 200 })).rejects.toMatchObject(
    {
      code: "INVALID_ARGUMENT",
      details: { argument: "leaseGraceMs", actual: "200" },
    },
  );
});
