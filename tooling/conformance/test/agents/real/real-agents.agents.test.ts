import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, type AgentOsSidecar } from "@agentos/client";
import { FakeModelServer, script } from "@agentos/fake-model";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

import type { AgentUnderTest, CheckContext } from "./agent-under-test.ts";
import { AGENTS_UNDER_TEST } from "./agents-under-test.ts";
import { AGENT_CHECKS } from "./checks.ts";
import { installAgent, STATE_DIRECTORY } from "./installed.ts";
import { CANARY } from "./jobs.ts";
import { ResultTable } from "./result-table.ts";

const only = process.env["AGENTOS_AGENTS"]?.split(",");
const agents = AGENTS_UNDER_TEST.filter(({ runtime }) => only?.includes(runtime) ?? true);
const table = new ResultTable();

let directory: string;
let sidecar: AgentOsSidecar;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "aos-"));
  sidecar = await AgentOs.createSidecar({
    sidecarId: `agents-${randomUUID()}`,
    runtimeDirectory: join(directory, "run"),
    stateDirectory: STATE_DIRECTORY,
  });
});

afterAll(async () => {
  await sidecar.dispose();
  await rm(directory, { recursive: true, force: true });
  await table.write();
});

describe.each(agents.map((agent) => [agent.runtime, agent] as const))("%s", (runtime, agent) => {
  let os: AgentOs;

  beforeAll(async () => {
    table.begin(runtime, await installAgent(runtime));
    os = await AgentOs.create({ sidecar, driver: "linux" });
  });

  afterAll(() => os.dispose());

  test.each(AGENT_CHECKS.map((check) => [check.title, check] as const))("%s", async (_, check) => {
    const exception = agent.exceptions[check.id];
    if (exception !== undefined) return table.excepted(runtime, check, exception);
    const startedMs = performance.now();
    table.failed(runtime, check);
    const figure = await check.run(contextOf(agent, os));
    table.passed(runtime, check, figure ?? `yes (${seconds(performance.now() - startedMs)})`);
    expect.assertions(expect.getState().assertionCalls);
  });
});

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function contextOf(agent: AgentUnderTest, os: AgentOs): CheckContext {
  return {
    agent,
    os,
    async model(rules) {
      const server = await FakeModelServer.start({ script: script(rules), keys: [CANARY] });
      onTestFinished(() => server[Symbol.asyncDispose]());
      return server;
    },
    hostDirectories: [directory, STATE_DIRECTORY],
    async shared() {
      const runtimeDirectory = join(directory, `run-${randomUUID().slice(0, 8)}`);
      const place = { runtimeDirectory, stateDirectory: STATE_DIRECTORY };
      const one = await AgentOs.getSharedSidecar({ ...place, pool: "agents" });
      const own = await AgentOs.create({ sidecar: one, driver: "linux" });
      onTestFinished(async () => {
        await own.dispose();
        await one.shutdown();
        await one.dispose();
      });
      return own;
    },
    async open(server, options = {}, where = os) {
      return await where.createSession({
        runtime: agent.runtime,
        provider: { name: agent.provider, baseUrl: `${server.url}${agent.path}`, apiKey: CANARY },
        model: agent.model,
        ...agent.options,
        ...options,
      });
    },
  };
}
