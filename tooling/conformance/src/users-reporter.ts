import type { Reporter, TestModule, Vitest } from "vitest/node";

import { DRIVER_SCENARIOS, idsOfTitle } from "./claims.ts";
import { requirements } from "./requirements.ts";
import { asRunnerOnly } from "./requirements/as-ordinary-user.ts";

const MADE_UP_USER = "/test/made-up-user/";

export interface UsersReporterOptions {
  /** Why no VM can be made here at all; undefined: they can. */
  readonly missing: string | undefined;
  /** Why the scenarios don't run as another user; undefined: they do. */
  readonly missingForOthers: string | undefined;
}

/** Says at the end as which users the conformance ids ran, and which did not, so that a green run never hides it. */
export class UsersReporter implements Reporter {
  readonly #options: UsersReporterOptions;
  #isWhole = false;

  constructor(options: UsersReporterOptions) {
    this.#options = options;
  }

  onInit({ config }: Vitest): void {
    this.#isWhole = config.testNamePattern === undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    // Who names a file or a project asks about that.
    const has = (end: string): boolean => modules.some(({ moduleId }) => moduleId.endsWith(end));
    if (!this.#isWhole || !has("/coverage.test.ts") || !has(".e2e.test.ts")) return;
    const others = modules.filter(({ moduleId }) => moduleId.includes(MADE_UP_USER));
    const self = passedIds(modules.filter((module) => !others.includes(module)));
    const { missing, missingForOthers } = this.#options;
    const lines = [
      `as ${nameOf(process.geteuid?.())}: ${self.size} of ${requirements.length} ids passed`,
      ...notRun("", missing, self, requirements),
      ...onVirtual(modules),
    ];
    const linux = requirements.filter(({ needs }) => needs === "linux");
    if (others.length > 0) {
      const passed = passedIds(others);
      const count = linux.filter(({ id }) => passed.has(id)).length;
      lines.push(
        `as a made-up user, from the packed packages: ${count} of ${linux.length} ids of the linux driver passed`,
        ...differences(passed),
        ...Object.entries(asRunnerOnly).map(
          ([id, reason]) => `  NOT RUN: ${id}, because ${reason}`,
        ),
      );
    }
    lines.push(...notRun(" as another user", missingForOthers, new Set(), linux));
    process.stdout.write(`\nConformance:\n${lines.map((line) => `  ${line}\n`).join("")}`);
  }
}

function nameOf(user: number | undefined): string {
  return user === 0 ? "root" : `user ${user ?? "unknown"}`;
}

/** Ids of which every test passed. */
function passedIds(modules: readonly TestModule[]): Set<string> {
  const idsIn = (state: "passed" | "failed"): Set<string> => {
    const tests = modules.flatMap(({ children }) => [...children.allTests(state)]);
    return new Set(tests.flatMap(({ name }) => idsOfTitle(name)));
  };
  const failed = idsIn("failed");
  return new Set([...idsIn("passed")].filter((id) => !failed.has(id)));
}

/** What of the virtual driver's ids passed there, whatever passed on the other one. */
function onVirtual(modules: readonly TestModule[]): string[] {
  const ids = requirements.filter(({ drivers }) => drivers?.includes("virtual") === true);
  const scenarios = modules.filter(({ moduleId }) => moduleId.includes(DRIVER_SCENARIOS));
  const tests = scenarios.flatMap(({ children }) => [...children.allTests("passed")]);
  const virtual = tests.filter(({ parent }) =>
    /\bvirtual\b/.test(parent.type === "suite" ? parent.name : ""),
  );
  const passed = new Set(virtual.flatMap(({ name }) => idsOfTitle(name)));
  return [`on the virtual driver: ${passed.size} of ${ids.length} ids passed`];
}

function notRun(
  as: string,
  reason: string | undefined,
  passed: ReadonlySet<string>,
  all: typeof requirements,
): string[] {
  if (reason === undefined) return [];
  const ids = all.filter(({ needs, id }) => needs === "linux" && !passed.has(id));
  return [
    `NOT RUN${as}: ${ids.length} ids, because ${reason}:`,
    `  ${ids.map(({ id }) => id).join(" ")}`,
  ];
}

/** What the manifest says of an ordinary user. */
function differences(passed: ReadonlySet<string>): string[] {
  const different = requirements.filter(
    ({ id, ordinaryUser }) => ordinaryUser !== undefined && passed.has(id),
  );
  return different.map(({ id, ordinaryUser }) => `  ${id}: ${ordinaryUser ?? ""}`);
}
