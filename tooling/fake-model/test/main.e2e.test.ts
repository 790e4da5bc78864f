import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { expect, test } from "vitest";
import * as z from "zod";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const Ready = z.object({ url: z.url(), socketPath: z.string().optional() });

function start(args: readonly string[]) {
  return execa(process.execPath, [MAIN, ...args], { timeout: 30_000, reject: false });
}

/** The one line that it prints; a child that ends before has none. */
async function ready(child: ReturnType<typeof start>): Promise<z.infer<typeof Ready>> {
  const lines = createInterface({ input: child.stdout });
  const [line]: unknown[] = await Promise.race([once(lines, "line"), once(lines, "close")]);
  if (typeof line !== "string") throw new Error(`ended too soon: ${(await child).stderr}`);
  return Ready.parse(JSON.parse(line));
}

test("prints where it listens, answers, and ends with its standard input", async () => {
  const child = start(["--script", "echo", "--port", "0", "--key", "k1", "--until-stdin-ends"]);
  const { url } = await ready(child);
  const ask = async (key: string): Promise<unknown> => {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hello." }] }),
    });
    return await response.json();
  };
  expect(await ask("k1")).toMatchObject({ choices: [{ message: { content: "Hello." } }] });
  expect(await ask("k2")).toMatchObject({ error: { code: "invalid_api_key" } });
  child.stdin.end();
  expect(await child).toMatchObject({ exitCode: 0, stderr: "" });
});

test("takes a script from a file, and ends with SIGTERM", async () => {
  const directory = await mkdtemp(join(tmpdir(), "fake-model-"));
  try {
    const file = join(directory, "hello.mjs");
    const library = new URL("../dist/index.js", import.meta.url).href;
    await writeFile(
      file,
      `import { otherwise, script as rules, text } from "${library}";
       export const script = rules([otherwise().reply(text("From a file."))]);`,
    );
    const socket = join(directory, "model.sock");
    const child = start(["--script", file, "--socket", socket]);
    const { url, socketPath } = await ready(child);
    expect(socketPath).toBe(socket);
    const response = await fetch(`${url}/v1/messages`, {
      method: "POST",
      body: JSON.stringify({
        model: "m",
        max_tokens: 9,
        messages: [{ role: "user", content: "Hi" }],
      }),
    });
    expect(await response.json()).toMatchObject({ content: [{ text: "From a file." }] });
    child.kill("SIGTERM");
    expect((await child).exitCode).toBe(0);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test.for([
  [[], "--script is missing"],
  [["--script", "nope"], "no script is named nope; expected one of echo, fix-failing-test"],
  [["--script", "echo", "--port", "x"], 'expected a whole number for --port, got "x"'],
  [["--script", "./nowhere.mjs"], "nowhere.mjs"],
] as const)("refuses %j with 2 and says why", async ([args, message]) => {
  const { exitCode, stdout, stderr } = await start(args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  expect(stderr).toContain(message);
});
