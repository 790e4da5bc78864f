import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, expect, test } from "vitest";

const native = fileURLToPath(new URL("../../native", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "vmd-frame-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const flags = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing"];
const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

function canSanitize(): boolean {
  const source = join(directory, "try.c");
  writeFileSync(source, "int main(void) { return 0; }\n");
  try {
    execFileSync("cc", [...sanitizers, "-o", join(directory, "try"), source], { stdio: "ignore" });
    return process.platform === "linux";
  } catch {
    return false;
  }
}

test.runIf(canSanitize())("the parsers withstand damaged frames and fields", () => {
  const output = join(directory, "frame-test");
  const sources = ["test/frame-test.c", "frame.c", "create.c", "config.c", "names.c"];
  const files = sources.map((name) => join(native, name));
  execFileSync("cc", [...flags, ...sanitizers, "-o", output, ...files]);
  expect(execFileSync(output, ["100000"], { encoding: "utf8" })).toBe("ok\n");
});
