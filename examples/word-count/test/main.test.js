import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../src/main.js", import.meta.url));

test("the command reads standard input", () => {
  const output = execFileSync(process.execPath, [main, "--top", "1"], {
    input: "a rose is a rose",
  });
  assert.equal(output.toString(), "0 lines, 5 words, 16 characters\n     2  a\n");
});
