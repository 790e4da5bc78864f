import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const VMD = join(import.meta.dirname, `../packages/vm/dist/vmd-linux-${process.arch}`);

/** Why tests can't make VMs here, or undefined where they can. Where CI or AGENTOS_REQUIRE_VMD says that they must, nothing is missing: the tests fail instead. */
export function linuxDriverMissing(): string | undefined {
  if (process.env["CI"] !== undefined || process.env["AGENTOS_REQUIRE_VMD"] === "1")
    return undefined;
  if (!existsSync(VMD)) return "the build made no vmd: it needs Linux and a C compiler";
  const { stdout, status } = spawnSync(VMD, ["probe"], { encoding: "utf8", timeout: 10_000 });
  return status === 0 && stdout.includes('"ok":true') ? undefined : `vmd probe: ${stdout.trim()}`;
}
