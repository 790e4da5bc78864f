import { expect, test } from "vitest";

import { parseArgument } from "../src/invalid-argument.ts";
import { DriverReport } from "../src/sidecar.ts";
import { NetworkPolicy } from "../src/network-policy.ts";
import { Environment, Limits, Mount, VmSpec } from "../src/vm.ts";

const LIMITS = {
  memoryBytes: "hard",
  cpus: "soft",
  pids: "hard",
  diskBytes: "hard",
  openFiles: "hard",
  watches: "hard",
  wallMs: "none",
};

test("where ignoring would fail open, unknown fields and values are refused", () => {
  expect(Limits.safeParse({ memory: 1 }).success).toBe(false);
  expect(Limits.safeParse({ require: ["gpus"] }).success).toBe(false);
  expect(NetworkPolicy.safeParse({ egress: "none", allow: [] }).success).toBe(false);
  expect(NetworkPolicy.safeParse({ egress: "some" }).success).toBe(false);
  const mount = { kind: "host", source: "/a", target: "/b" };
  expect(Mount.safeParse(mount).success).toBe(true);
  expect(Mount.safeParse({ ...mount, readonly: true }).success).toBe(false);
  expect(Mount.safeParse({ ...mount, kind: "device" }).success).toBe(false);
  expect(Limits.safeParse(JSON.parse('{"__proto__":{"pids":1}}')).success).toBe(false);
});

test("elsewhere unknown fields are ignored", () => {
  expect(VmSpec.parse({ vmId: "a", novelty: 1 })).toEqual({ vmId: "a" });
  expect(VmSpec.parse(JSON.parse('{"vmId":"a","__proto__":{"name":"x"}}'))).toEqual({ vmId: "a" });
});

test("a newer peer's further limits are ignored, and a missing one is not", () => {
  const report = { driver: "linux", available: true, isolation: "namespaces" };
  const parsed = DriverReport.parse({ ...report, limits: { ...LIMITS, gpus: "hard" } });
  expect(parsed.limits).toEqual(LIMITS);
  expect(DriverReport.safeParse({ ...report, limits: { pids: "hard" } }).success).toBe(false);
});

test("an environment may have any name but __proto__, and no NUL", () => {
  const env = JSON.parse('{"constructor":"a","prototype":"b","toString":"c","A B":""}');
  expect(Environment.parse(env)).toEqual(env);
  expect(Environment.safeParse(JSON.parse('{"__proto__":"x"}')).success).toBe(false);
  for (const bad of [{ "": "x" }, { "A=B": "x" }, { "A\0": "x" }, { A: "x\0" }, { A: 1 }, []]) {
    expect(Environment.safeParse(bad).success).toBe(false);
  }
});

test.each([
  [{ "A=B": "x" }, "env.A=B", "expected a name without = and NUL"],
  [JSON.parse('{"__proto__":"x"}'), "env", "expected no variable named __proto__"],
  [{ A: "x\0" }, "env.A", "expected a value without NUL"],
])("case %#: a refused environment is named", (env: unknown, argument, expected) => {
  expect(() => parseArgument(Environment, env, "env")).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      details: expect.objectContaining({ argument, expected }),
    }),
  );
});
