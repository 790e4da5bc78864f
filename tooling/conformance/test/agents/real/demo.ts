import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { expect } from "vitest";

import type { AgentCheck } from "./agent-under-test.ts";
import { STATE_DIRECTORY } from "./installed.ts";

const COMMAND = fileURLToPath(new URL("../../../../../apps/cli/dist/main.js", import.meta.url));

/** `npm start -- --agent NAME`, as a person runs it. */
export const DEMO: AgentCheck = {
  id: "demo",
  title: "demo",
  async run({ agent }) {
    const directory = await mkdtemp(join(tmpdir(), "aos-demo-"));
    const env = {
      PATH: process.env["PATH"],
      HOME: directory,
      AGENTOS_STATE_DIR: STATE_DIRECTORY,
      AGENTOS_RUNTIME_DIR: join(directory, "run"),
    };
    const command = [COMMAND, "demo", "--agent", agent.runtime];
    try {
      const { stdout } = await promisify(execFile)(process.execPath, command, { env });
      expect(stdout).toContain("all of them pass");
      expect(stdout).toContain("the VM is gone");
    } finally {
      await promisify(execFile)(process.execPath, [COMMAND, "down"], { env });
      await rm(directory, { recursive: true, force: true });
    }
  },
};
