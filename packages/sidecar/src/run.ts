import { flushCompileCache } from "node:module";

import type { VmDriver } from "@agentos/core";
import { AgentOsError, encodeError, type StartReply } from "@agentos/protocol";
import { agentRuntimes, ApiRuntime, readPrices } from "@agentos/runtimes";

import { BOUNDS } from "./bounds.ts";
import { errorFacts, StderrLog } from "./log.ts";
import { type DriverContext, optionsOf } from "./options.ts";
import { Sidecar } from "./sidecar.ts";
import { readStartRequest, writeStartReply } from "./start-message.ts";

/** The life of the bin: one message in, one answer out, then a sidecar until it ends. Never rejects. */
export async function run(): Promise<void> {
  const log = new StderrLog({ pid: process.pid });
  // The client may be gone before the answer; the signal is the end of stdin, or idleness.
  process.stdout.on("error", () => undefined);
  const started = await start(log).catch(async (error: unknown) => {
    log.error(errorFacts(error), "the sidecar could not start");
    await answer(failed(error));
    process.exitCode = 1;
  });
  if (started !== undefined) await live(started, log);
  await log.flush();
  // Handles that a driver leaves open must not keep a sidecar that has ended.
  process.exit();
}

interface Started {
  sidecar: Sidecar;
  isShared: boolean;
}

async function start(log: StderrLog): Promise<Started | undefined> {
  const request = await readStartRequest(process.stdin, BOUNDS.startRequestMs);
  const prices = await readPrices(request.pricesFile);
  const life = await Sidecar.start(
    optionsOf(request, {
      log,
      drivers: makeDrivers,
      runtimes: [new ApiRuntime({ prices }), ...agentRuntimes()],
      prices,
    }),
  );
  if (life === undefined) {
    await answer({ kind: "elsewhere" });
    return undefined;
  }
  const { sidecar } = life;
  // Before anybody knows of it: a signal that comes with the answer must drain too.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => sidecar.shutdown(`it got ${signal}`));
  }
  await answer(life.ready);
  return { sidecar, isShared: request.pool !== undefined };
}

async function live({ sidecar, isShared }: Started, log: StderrLog): Promise<void> {
  process.on("uncaughtException", (error) => {
    log.error(errorFacts(error), "an error that nobody handled: ending");
    process.exitCode = 1;
    sidecar.shutdown("an internal error");
  });
  if (isShared) process.stdin.destroy();
  else process.stdin.once("close", () => sidecar.shutdown("its owner closed stdin")).resume();
  log.info({ sidecarId: sidecar.sidecarId, epoch: sidecar.epoch, shared: isShared }, "ready");
  await sidecar.warmUp();
  // A killed process would never write it, and the next start would compile everything again.
  flushCompileCache();
  await sidecar.closed;
}

async function makeDrivers({
  runtimeDirectory,
  agentsDirectory,
  diskDirectory,
  epoch,
  adoptGraceMs,
  linkKey,
  warmPoolSize,
}: DriverContext): Promise<readonly VmDriver[]> {
  // Loaded when it is needed: by the first create, or by VMs of an earlier life.
  const { LinuxDriver, VirtualDriver } = await import("@agentos/vm");
  const options = {
    runDirectory: runtimeDirectory,
    agentsDirectory,
    diskDirectory,
    epoch,
    adoptGraceMs,
    linkKey,
    warmPoolSize,
  };
  return [new LinuxDriver(options), new VirtualDriver()];
}

async function answer(reply: StartReply): Promise<void> {
  // Nobody reads it: then nobody waits for it either.
  await writeStartReply(process.stdout, reply).catch(() => undefined);
}

function failed(error: unknown): StartReply {
  if (error instanceof AgentOsError)
    return { kind: "failed", code: error.code, message: error.message };
  const { code, message } = encodeError(error);
  return { kind: "failed", code, message };
}
