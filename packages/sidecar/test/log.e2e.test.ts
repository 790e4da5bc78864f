import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

const INDEX = fileURLToPath(new URL("../dist/index.js", import.meta.url));

/** What a program that does `statements` with a new log writes. */
async function written(statements: string): Promise<{ stdout: string; stderr: string }> {
  const program = `
    import { StderrLog } from ${JSON.stringify(INDEX)};
    const log = new StderrLog({ pid: 1 });
    ${statements}
    await log.flush();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (output.stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (output.stderr += String(chunk)));
  await new Promise((resolve) => child.once("close", resolve));
  return output;
}

test("the log goes to stderr only, one JSON line each, in order, from before it was loaded", async () => {
  const { stdout, stderr } = await written(`
    log.info({ n: 1 }, "one"); log.error({ n: 2 }, "two"); await log.flush(); log.warn({ n: 3 }, "three");`);
  expect(stdout).toBe("");
  const lines: unknown[] = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { level: 30, pid: 1, n: 1, msg: "one" },
    { level: 50, n: 2, msg: "two" },
    { level: 40, n: 3, msg: "three" },
  ]);
});

test("keys, tokens and environments never reach it", async () => {
  const { stderr } = await written(`
    log.info({ apiKey: "s3cret", key: "s3cret", token: "s3cret", authorization: "s3cret" }, "one");
    log.info({ ready: { apiKey: "s3cret" }, headers: { authorization: "s3cret" }, vm: { env: { A: "s3cret" } } }, "two");`);
  expect(stderr.trim().split("\n")).toHaveLength(2);
  expect(stderr).not.toContain("s3cret");
});
