import { describe, expect, test } from "vitest";

import type { DriverFinding } from "../../src/doctor/examine-drivers.ts";
import { limitRemedy } from "../../src/doctor/limit-remedy.ts";
import { isNodeSupported } from "../../src/node-version.ts";
import { type DoctorReport, formatDoctorReport } from "../../src/output/doctor-report.ts";

const hard = { enforcement: "hard" as const };
const none = { enforcement: "none" as const, reason: "EACCES", remedy: "type this" };
const limits = { pids: hard, diskBytes: hard, openFiles: hard, watches: hard, wallMs: hard };
const driver: DriverFinding = {
  driver: "linux",
  available: true,
  isolation: "namespaces",
  walls: ["landlock"],
  limits: { memoryBytes: none, cpus: none, ...limits },
};
const report: DoctorReport = {
  ok: true,
  version: "1.2.3",
  node: "26.0.0",
  platform: { system: "linux", architecture: "x64", kernel: "6.1" },
  directories: {
    runtime: { path: "/r", usable: true },
    state: { path: "/s\u001b[2J", usable: false, reason: "EROFS", remedy: "elsewhere" },
  },
  sidecar: { sidecarId: "pool", pid: 7, version: "1.2.3" },
  drivers: [driver],
};

describe("the report for a person", () => {
  test("has each limit, and each remedy once", () => {
    expect(formatDoctorReport(report)).toBe(
      [
        "agentos   1.2.3",
        "node      26.0.0",
        "platform  linux x64, 6.1",
        "runtime   /r: usable",
        String.raw`state     /s\x1b[2J: not usable: EROFS`,
        "          -> elsewhere",
        "sidecar   pool, pid 7, version 1.2.3",
        "",
        "driver linux (isolation: namespaces) works",
        "  further walls: landlock",
        "  LIMIT        HELD  WHY NOT",
        "  memoryBytes  none  EACCES",
        "  cpus         none  EACCES",
        "  pids         hard",
        "  diskBytes    hard",
        "  openFiles    hard",
        "  watches      hard",
        "  wallMs       hard",
        "          -> for memoryBytes and cpus: type this",
        "",
        "VMs can be made here. Try: agentos demo",
        "",
      ].join("\n"),
    );
  });

  test("of a driver that does not work says why, and nothing of limits", () => {
    const broken = { ...driver, available: false, reason: "no namespaces", remedy: "sysctl x" };
    const text = formatDoctorReport({ ...report, ok: false, drivers: [broken] });
    expect(text).toContain(
      "does not work: no namespaces\n          -> sysctl x\n\nNo isolated VM can be",
    );
    expect(text).not.toContain("LIMIT");
  });

  test("of a sidecar that was not reached says why", () => {
    const error = { code: "SIDECAR_NOT_FOUND", message: "no sidecar", remedy: "install it" };
    const text = formatDoctorReport({ ...report, ok: false, sidecar: { error }, drivers: [] });
    expect(text).toContain(
      "sidecar   not reached: no sidecar\n          -> install it\n\nNo isolated VM",
    );
  });
});

test("what to type depends on who asks, on systemd and on what failed", () => {
  const user = { isRoot: false, hasSystemd: true };
  const root = { isRoot: true, hasSystemd: true };
  const eacces = "making a cgroup failed with EACCES";
  expect(limitRemedy("memoryBytes", eacces, user)).toBe(
    "agentos down; systemd-run --user --scope -p Delegate=yes agentos up",
  );
  expect(limitRemedy("cpus", eacces, { ...user, hasSystemd: false })).toContain("administrator");
  expect(limitRemedy("cpus", "failed with EROFS", root)).toContain("writable");
  expect(limitRemedy("cpus", "would fail with EBUSY", root)).toContain("below the topmost");
  expect(limitRemedy("cpus", "no cpu controller of cgroups is mounted here", user)).toContain(
    "mount the cgroups",
  );
  expect(limitRemedy("cpus", "", root)).toContain("docs/limits.md");
  expect(limitRemedy("openFiles", eacces, user)).toBeUndefined();
});

test("an old Node is told apart", () => {
  expect(["20.20.2", "22.17.9", "22.18.0", "24.0.0"].map(isNodeSupported)).toEqual([
    false,
    false,
    true,
    true,
  ]);
});
