import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { afterAll, beforeAll, expect, test } from "vitest";

import { run } from "../../src/commands/run.ts";
import { createFakeIo } from "../fake-io.ts";

const directory = mkdtempSync(join(tmpdir(), "aos-"));

beforeAll(() => {
  process.env["AGENTOS_RUNTIME_DIR"] = join(directory, "r");
  process.env["AGENTOS_STATE_DIR"] = join(directory, "s");
});

afterAll(async () => {
  const sidecar = await AgentOs.getSharedSidecar();
  await sidecar.shutdown();
  await sidecar.dispose();
  rmSync(directory, { recursive: true, force: true });
});

test("run --driver virtual works on a copy, and tells a person once that nothing isolates", async () => {
  const project = mkdtempSync(join(directory, "project"));
  writeFileSync(join(project, "file"), "text\n");
  const io = createFakeIo({ directory: project });
  Object.assign(io.stderr, { isTTY: true });
  const options = { driver: "virtual", copy: true, stdin: false };
  const script = "cat file; echo out; echo err >&2; exit 3";
  expect(await run(io, {}, ["sh", "-c", script], options)).toBe(3);
  expect(io.printed.stdout).toBe("text\nout\n");
  expect(io.printed.stderr).toBe(
    "agentos: the virtual driver is no security boundary: run only what you trust\nerr\n",
  );
  const piped = createFakeIo({ directory: project });
  expect(await run(piped, {}, ["true"], options)).toBe(0);
  expect(piped.printed).toEqual({ stdout: "", stderr: "" });
});
