import type { ProcessRequest, VmProcess } from "@agentos/core";
import { AgentOsError, DEFAULTS, isAgentOsError, type ProcessStart } from "@agentos/protocol";

import { type HostedProcess, isAll } from "../vms/hosted-process.ts";
import type { ProcessReader } from "../vms/process-reader.ts";
import type { ReleasedProcess } from "../vms/process-table.ts";
import type { Access } from "../vms/holder.ts";
import { assertArguments } from "./process-arguments.ts";
import type { HandlerContext } from "./handler-context.ts";

const WORKING_DIRECTORY = "/workspace";
/** errno and step of a stream that a repeated request asks for and can't have. */
const REPEATED = { errno: 114, step: "repeated" };

/** What is to be started: a program, or what the VM's agent does itself. */
export interface StartParams extends ProcessStart {
  builtin?: true;
}

/** A process that a request started, or had started before. */
export interface Started {
  process: HostedProcess | undefined;
  pid: () => Promise<number>;
  exited: HostedProcess["exited"];
  /** Rejects where a repeated request's stream can't go on. Undefined: nothing to wait for. */
  begun?: Promise<void>;
}

/** Starts the process, or finds the one that this request started before, in this life of the sidecar or an earlier one. */
export function startOnce(context: HandlerContext, params: StartParams, isExec: boolean): Started {
  const access = context.host.access(context.holder, params);
  const { processes } = access.vm;
  const known = processes.find(params.processId);
  if (known !== undefined) return repeated(context, access, params, known, isExec);
  const released = processes.findReleased(params.processId);
  if (released !== undefined) return ofReleased(context, access, params, released, isExec);
  const { stdout, stderr } = params.received ?? { stdout: 0, stderr: 0 };
  if (stdout > 0 || stderr > 0) throw forgotten(params.processId);
  return startNew(context, access, params, isExec);
}

function startNew(
  context: HandlerContext,
  access: Access,
  params: StartParams,
  isExec: boolean,
): Started {
  const { vm, lease } = access;
  assertArguments(params);
  vm.processes.assertRoom();
  const { windowBytes = DEFAULTS.streamWindowBytes } = params;
  const env = { ...vm.environment, ...params.env };
  const process = vm.processes.start({
    start: (request, reader) => begin(access, request, reader, params.received !== undefined),
    request: requestOf(params, env, windowBytes),
    link: openLink(context, access, params),
    leaseId: lease.leaseId,
    endsRead: isExec && params.output !== "logged",
  });
  if (!isExec) announce(context, access, process);
  return ofKnown(process);
}

async function begin(
  { handle }: Access,
  request: ProcessRequest,
  reader: ProcessReader,
  isRepeated: boolean,
): Promise<VmProcess> {
  try {
    return await handle.startProcess(request, reader);
  } catch (error) {
    // The VM remembers what it has run, longer than its sidecar lives.
    if (isRepeated && isAgentOsError(error, "ALREADY_EXISTS")) throw forgotten(request.processId);
    throw error;
  }
}

/** Its output has one reader: with `received` that is the repeated request from now on, without it learns the end only. */
function repeated(
  context: HandlerContext,
  access: Access,
  params: StartParams,
  process: HostedProcess,
  isExec: boolean,
): Started {
  const { received } = params;
  if (!isExec) announceAgain(context, access, process);
  if (received === undefined) {
    refuseStream(context, access, params);
    return ofKnown(process);
  }
  process.leaseId = access.lease.leaseId;
  if (isExec) process.endWhenRead();
  const link = openLink(context, access, params);
  return { ...ofKnown(process), begun: process.readOn(link, received) };
}

function ofReleased(
  context: HandlerContext,
  access: Access,
  params: StartParams,
  released: ReleasedProcess,
  isExec: boolean,
): Started {
  const { exit } = released;
  const { received } = params;
  const hasAll = exit !== undefined && received !== undefined && isAll(exit, received);
  if (!hasAll) refuseStream(context, access, params);
  if (!isExec && exit !== undefined) tell(context, access, exit);
  return { process: undefined, pid: async () => released.pid, exited: released.exited };
}

/** Tells a spawned process's end to its VM's holders, after the answer to its start. */
export function announce({ host }: HandlerContext, { vm }: Access, process: HostedProcess): void {
  process.isAnnounced = true;
  process.exited.then(
    (exit) => setImmediate(() => host.emit(vm, "process.exited", { ...exit, vmId: vm.id })),
    // It never started, which the request says, or went with its VM, which `vm.ended` says.
    () => undefined,
  );
}

/** The end may have been told to a connection that was lost. */
export function announceAgain(
  context: HandlerContext,
  access: Access,
  process: HostedProcess,
): void {
  if (process.exit !== undefined) tell(context, access, process.exit);
  else if (!process.isAnnounced) announce(context, access, process);
}

function tell(
  { holder }: HandlerContext,
  { vm }: Access,
  exit: NonNullable<HostedProcess["exit"]>,
): void {
  setImmediate(() => holder.emit("process.exited", { ...exit, vmId: vm.id }));
}

function requestOf(
  params: StartParams,
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
  return {
    ...request,
    ...(params.builtin === undefined ? {} : { builtin: params.builtin }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function ofKnown(process: HostedProcess): Started {
  return { process, pid: async () => (await process.started).pid, exited: process.exited };
}

function openLink({ streams }: HandlerContext, { vm }: Access, params: StartParams) {
  const { stream: number, windowBytes = DEFAULTS.streamWindowBytes } = params;
  const meter = params.builtin === undefined ? vm.output : undefined;
  return streams.open({ number, vmKey: vm.facts.key, windowBytes, kind: "process", meter });
}

function refuseStream({ streams }: HandlerContext, { vm }: Access, params: StartParams): void {
  if (streams.get(params.stream) !== undefined) return;
  const { stream: number } = params;
  const link = streams.open({ number, vmKey: vm.facts.key, windowBytes: 0, kind: "file" });
  link.fail(REPEATED.errno, REPEATED.step);
}

function forgotten(id: string): AgentOsError<"NOT_FOUND"> {
  const message = `process ${id} ran, but its end is not known any more`;
  return new AgentOsError("NOT_FOUND", message, { kind: "process", id });
}
