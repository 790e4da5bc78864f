import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { AgentOs, AgentOsError, AgentStore, isAgentOsError } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { type DemoJob, demoJobFor } from "../demo/demo-job.ts";
import { type DemoModel, type DemoModelOptions, openDemoModel } from "../demo/demo-model.ts";
import { DEMO_FIX, findDemoProject } from "../demo/demo-project.ts";
import { fixByAgent } from "../demo/fix-by-agent.ts";
import { Stopwatch } from "../demo/stopwatch.ts";
import { EXIT_CODE, exitCodeOf } from "../exit-code.ts";
import { drainOutput } from "../guest/drain-output.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { createDemoScreen, type DemoScreen, usesColour } from "../output/demo-screen.ts";
import { diffLines } from "../output/diff.ts";
import { createSessionView } from "../session/session-view.ts";

const WORKSPACE = "/workspace";

interface Stage {
  readonly io: Io;
  readonly screen: DemoScreen;
  readonly watch: Stopwatch;
  readonly project: string;
  readonly signal: AbortSignal;
  readonly json: boolean;
  readonly model: DemoModelOptions;
}

/** `agentos demo`: a failing test, found and fixed by an agent in a VM. */
export async function demo(
  io: Io,
  globals: GlobalOptions,
  model: DemoModelOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { pool, json = false } = globals;
  const { signal } = interrupts;
  const screen = createDemoScreen(io, json);
  const watch = new Stopwatch(screen);
  const project = await findDemoProject();
  try {
    await play({ io, screen, watch, project, signal, json, model }, pool);
    await screen.summary(watch.times, watch.totalMs);
    return EXIT_CODE.ok;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

async function play(stage: Stage, pool: string | undefined): Promise<void> {
  const { screen, watch, signal } = stage;
  await screen.begin("A shared sidecar, and a VM in it");
  await watch.time("sidecar", "the sidecar", () => reachSidecar(pool, signal));
  const os = await watch.time("vm", "lease a VM", async () => {
    const leased = await lease(stage, pool);
    const { driver, isolation } = await leased.info();
    return [`VM ${leased.id}: driver ${driver}, ${isolation}`, leased] as const;
  });
  try {
    await work(stage, os, demoJobFor(await os.info()));
  } finally {
    await watch.time("end", "end the VM", async () => {
      await os.dispose();
      return ["the VM is gone, with its processes and files", undefined] as const;
    });
  }
}

/** Where nothing isolates, a VM of the virtual driver, and a word about it. */
async function lease({ screen, signal }: Stage, pool: string | undefined): Promise<AgentOs> {
  try {
    return await AgentOs.create({ pool, signal });
  } catch (error) {
    if (!isAgentOsError(error, "DRIVER_UNAVAILABLE")) throw error;
    const options = { pool, signal, driver: "virtual" };
    // Without it too, the first refusal is the one to settle.
    const os = await AgentOs.create(options).catch(() => Promise.reject(error));
    await screen.begin(`${error.message}\nSo this is the virtual driver, which isolates nothing.`);
    return os;
  }
}

async function work(stage: Stage, os: AgentOs, job: DemoJob): Promise<void> {
  const { screen, watch, project, signal } = stage;
  const { path } = DEMO_FIX;
  await screen.begin(`\n${job.title}`);
  await watch.time("copy", "copy the project in", async () => {
    await os.fs.upload(project, WORKSPACE, { signal });
    return [`${basename(project)} is in ${WORKSPACE}`, undefined] as const;
  });
  await watch.time("tests", "its tests", () => runJob(stage, os, job, job.before));
  await change(stage, os, job);
  await watch.time("tests-again", "its tests again", () => runJob(stage, os, job, job.after));
  await screen.begin(`\nThe changed file, brought back out`);
  const copy = await watch.time("bring-back", "bring the file back", () => bringBack(os, signal));
  const [before, after] = await Promise.all([readText(join(project, path)), readText(copy)]);
  await screen.diff(path, diffLines(before, after));
}

/** An agent changes the project where one can; else the demo itself does. */
async function change(stage: Stage, os: AgentOs, job: DemoJob): Promise<void> {
  const { screen, watch, signal } = stage;
  await using model = job.forAgent
    ? await openDemoModel(stage.model, stage.io.env, signal)
    : undefined;
  if (model === undefined) {
    await screen.begin(`\n${job.again}`);
    return await watch.time("fix", "fix one line", () => fix(os));
  }
  const { agent } = stage.model;
  if (agent !== undefined) {
    await watch.time("install", `the program of ${agent}`, () => install(agent, signal));
  }
  await screen.begin(`\nAn agent in the VM is asked to find the bug and fix it\n${model.said}`);
  await watch.time("agent", "the agent", () => runAgent(stage, os, model));
  await screen.begin("\nThe tests again, from outside");
}

async function install(agent: string, signal: AbortSignal) {
  const { version } = await new AgentStore().install(agent, { signal });
  return [`${agent} ${version} is installed: every VM sees it`, undefined] as const;
}

async function runAgent({ io, json, signal }: Stage, os: AgentOs, model: DemoModel) {
  const said = await fixByAgent(os, model, createSessionView(io, json), signal);
  return [said, undefined] as const;
}

/** Runs the job with live output; another exit code than the expected one is an error. */
async function runJob(stage: Stage, os: AgentOs, job: DemoJob, expected: DemoJob["before"]) {
  const guest = await os.spawn([...job.command], {
    env: usesColour(stage.io) ? { FORCE_COLOR: "1" } : {},
    signal: stage.signal,
  });
  const print = (_channel: string, bytes: Uint8Array) => stage.screen.output(bytes);
  await drainOutput(guest, { output: print, event: async () => {}, end: async () => {} });
  const exitCode = exitCodeOf(await guest.exited);
  stage.signal.throwIfAborted();
  if (exitCode !== expected.exitCode) throw unexpected(exitCode, expected.exitCode);
  return [`exit code ${exitCode}: ${expected.said}`, undefined] as const;
}

async function fix(os: AgentOs) {
  const { path, wrong, right } = DEMO_FIX;
  const target = `${WORKSPACE}/${path}`;
  const source = await os.fs.readFile(target, "utf8");
  await os.fs.writeFile(
    target,
    source.replace(wrong, () => right),
  );
  return [`${path} is changed in the VM; the original is as it was`, undefined] as const;
}

async function bringBack(os: AgentOs, signal: AbortSignal) {
  const directory = await mkdtemp(join(tmpdir(), "agentos-demo-"));
  const copy = join(directory, basename(DEMO_FIX.path));
  await os.fs.download(`${WORKSPACE}/${DEMO_FIX.path}`, copy, { signal });
  return [copy, copy] as const;
}

function unexpected(actual: number, expected: number): AgentOsError {
  const reason = `the demo's job ended with exit code ${actual}, expected ${expected}`;
  return new AgentOsError("INTERNAL", reason, { reason });
}

async function readText(path: string): Promise<string> {
  return await readFile(path, "utf8");
}

/** Connects to the pool's sidecar, which starts where none is alive. */
async function reachSidecar(pool: string | undefined, signal: AbortSignal) {
  const beganAt = Date.now();
  const sidecar = await AgentOs.getSharedSidecar({ pool });
  const { pid, startedAt, vms } = await sidecar.info();
  signal.throwIfAborted();
  const how = Date.parse(startedAt) >= beganAt ? "started" : `found, with ${vms} VMs in it`;
  return [`sidecar ${pid}: ${how}`, undefined] as const;
}
