import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

const BIN = join(import.meta.dirname, "../dist/bin");

const LAZY = [
  "@ai-sdk/anthropic",
  "@ai-sdk/google",
  "@ai-sdk/openai",
  "@ai-sdk/openai-compatible",
  "@modelcontextprotocol/sdk/client/index.js",
];

test("[api.bundle] the bin has no provider's package in it, and loads each when it is used", async () => {
  const names = (await readdir(BIN)).filter((name) => name.endsWith(".js"));
  const files = await Promise.all(names.map((name) => readFile(join(BIN, name), "utf8")));
  const code = files.join("\n");
  for (const name of LAZY) {
    const quoted = `["'\`]${name.replaceAll(/[./]/g, "\\$&")}["'\`]`;
    expect(code).toMatch(new RegExp(`import\\(${quoted}\\)`));
    expect(code).not.toMatch(new RegExp(`from ?${quoted}`));
  }
  // What those packages are made of would be more than all of ours.
  expect(code).not.toContain("vercel.ai.error");
});
