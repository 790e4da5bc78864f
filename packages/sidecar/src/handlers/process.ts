import type { ProcessRequest } from "@agentos/core";
import {
  AgentOsError,
  DEFAULTS,
  type Handlers,
  isAgentOsError,
  type ParsedParams,
  type ProcessStart,
  type ProcessSummary,
} from "@agentos/protocol";

import type { HostedProcess } from "../vms/hosted-process.ts";
import type { ReleasedProcess } from "../vms/process-table.ts";
import type { Access } from "../vms/vm-host.ts";
import { assertArguments } from "./process-arguments.ts";
import type { HandlerContext } from "./handler-context.ts";

const WORKING_DIRECTORY = "/workspace";
/** errno and step of a stream that a repeated request asks for and can't have. */
const REPEATED = { errno: 114, step: "repeated" };

/** Processes. */
export function processHandlers(context: HandlerContext): Handlers {
  const { host, holder } = context;
  return {
    "process.exec": async (params, { signal }) => {
      const { process, exited } = startOnce(context, params, true);
      // A lost connection is not a cancel: the process waits for its lease to be resumed.
      const cancel = (): void => {
        if (isAgentOsError(signal.reason, "CANCELLED")) process?.cancel();
      };
      signal.addEventListener("abort", cancel, { once: true });
      return await exited;
    },
    "process.spawn": async (params) => {
      const started = startOnce(context, params, false);
      return { processId: params.processId, pid: await started.pid() };
    },
    "process.signal": (params) => {
      const { processes } = host.access(holder, params).vm;
      if (processes.findReleased(params.processId)?.hasEnded === true) return {};
      processes.get(params.processId).signal(params.signal, params.scope ?? "process");
      return {};
    },
    "process.release": (params) => {
      const { processes } = host.access(holder, params).vm;
      if (processes.findReleased(params.processId) === undefined)
        processes.get(params.processId).release();
      return {};
    },
    "process.list": (scope) => ({ processes: host.access(holder, scope).vm.processes.list() }),
    "process.log": (params) => openLog(context, params),
    "stream.close": (params) => {
      const { vm } = host.access(holder, params);
      const link = context.streams.get(params.stream);
      if (link?.vmKey === vm.facts.key && link.kind !== "process") link.close();
      return {};
    },
  };
}

interface Started {
  process: HostedProcess | undefined;
  pid: () => Promise<number>;
  exited: HostedProcess["exited"];
}

/** Starts the process, or finds the one that this request started before. */
function startOnce(context: HandlerContext, params: ProcessStart, isExec: boolean): Started {
  const access = context.host.access(context.holder, params);
  const { processes } = access.vm;
  const known = processes.find(params.processId);
  const released = processes.findReleased(params.processId);
  if (known === undefined && released === undefined)
    return startNew(context, access, params, isExec);
  const repeated = known === undefined ? ofReleased(released) : ofKnown(known);
  refuseStream(context, access, params);
  return repeated;
}

function startNew(
  context: HandlerContext,
  access: Access,
  params: ProcessStart,
  isExec: boolean,
): Started {
  const { vm, handle, lease } = access;
  assertArguments(params);
  vm.processes.assertRoom();
  const { windowBytes = DEFAULTS.streamWindowBytes } = params;
  const env = { ...handle.environment, ...vm.facts.spec.env, ...params.env };
  const link = context.streams.open({
    number: params.stream,
    vmKey: vm.facts.key,
    windowBytes,
    kind: "process",
  });
  const process = vm.processes.start({
    handle,
    request: requestOf(params, env, windowBytes),
    link,
    leaseId: lease.leaseId,
    releaseWhenRead: isExec && params.output !== "logged",
  });
  if (!isExec) announce(context, access, process);
  return ofKnown(process);
}

/** Tells a spawned process's end, after the answer to its start. */
function announce({ host }: HandlerContext, { vm }: Access, process: HostedProcess): void {
  process.exited.then(
    (exit) => setImmediate(() => host.emit(vm, "process.exited", { ...exit, vmId: vm.id })),
    // It never started, which the request says, or went with its VM, which `vm.ended` says.
    () => undefined,
  );
}

function requestOf(
  params: ProcessStart,
  env: Record<string, string>,
  windowBytes: number,
): ProcessRequest {
  const {
    processId,
    argv,
    cwd = WORKING_DIRECTORY,
    stdin = "none",
    output = "piped",
    timeoutMs,
  } = params;
  const request = { processId, argv, cwd, env, stdin, output, windowBytes };
  return timeoutMs === undefined ? request : { ...request, timeoutMs };
}

function ofKnown(process: HostedProcess): Started {
  return { process, pid: async () => (await process.started).pid, exited: process.exited };
}

function ofReleased(released: ReleasedProcess | undefined): Started {
  if (released === undefined)
    throw new AgentOsError("INTERNAL", "a process is neither known nor released", {});
  return { process: undefined, pid: async () => released.pid, exited: released.exited };
}

/** Output has one reader: a repeated request learns the end, and that its stream carries nothing. */
function refuseStream({ streams }: HandlerContext, { vm }: Access, params: ProcessStart): void {
  if (streams.get(params.stream) !== undefined) return;
  const options = {
    number: params.stream,
    vmKey: vm.facts.key,
    windowBytes: 0,
    kind: "file" as const,
  };
  streams.open(options).fail(REPEATED.errno, REPEATED.step);
}

type LogParams = ParsedParams<"process.log">;

async function openLog(
  { host, holder, streams }: HandlerContext,
  params: LogParams,
): Promise<ProcessSummary> {
  const { vm, handle } = host.access(holder, params);
  const process = vm.processes.get(params.processId);
  const link = streams.open({
    number: params.stream,
    vmKey: vm.facts.key,
    windowBytes: DEFAULTS.streamWindowBytes,
    kind: "log",
  });
  try {
    const from = { stdout: params.stdoutFrom ?? 0, stderr: params.stderrFrom ?? 0 };
    link.attach(await handle.openLog(params.processId, from, link));
    return process.summary;
  } catch (error) {
    link.close();
    throw error;
  }
}
