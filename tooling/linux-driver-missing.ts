import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const VMD = join(import.meta.dirname, `../packages/vm/dist/vmd-linux-${process.arch}`);

/** Why tests can't make VMs here, or undefined where they can. Where CI or AGENTOS_REQUIRE_VMD says that they must, nothing is missing: the tests fail instead. */
export function linuxDriverMissing(): string | undefined {
  if (isRequired()) return undefined;
  if (!existsSync(VMD)) return "the build made no vmd: it needs Linux and a C compiler";
  return probe(VMD);
}

/** Why the tests don't run as `user` beside the one who started them, or undefined where they do. */
export function linuxDriverMissingFor(user: number): string | undefined {
  if (process.geteuid?.() !== 0) return "only root can start programs as another user";
  if (isRequired()) return undefined;
  if (!existsSync(VMD)) return "the build made no vmd: it needs Linux and a C compiler";
  // The clone may be where that user can't go.
  const folder = mkdtempSync(join(tmpdir(), "aos-probe-"));
  try {
    const copy = join(folder, "vmd");
    chmodSync(folder, 0o755);
    copyFileSync(VMD, copy);
    chmodSync(copy, 0o755);
    return probe(copy, { uid: user, gid: user });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isRequired(): boolean {
  return process.env["CI"] !== undefined || process.env["AGENTOS_REQUIRE_VMD"] === "1";
}

function probe(vmd: string, as: { uid?: number; gid?: number } = {}): string | undefined {
  const { stdout, status, error } = spawnSync(vmd, ["probe"], {
    ...as,
    encoding: "utf8",
    timeout: 10_000,
  });
  if (status === 0 && stdout.includes('"ok":true')) return undefined;
  return `vmd probe: ${error?.message ?? stdout.trim()}`;
}
