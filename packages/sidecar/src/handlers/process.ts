import {
  DEFAULTS,
  type Handlers,
  isAgentOsError,
  type MethodResult,
  type ParsedParams,
  type ProcessExit,
} from "@agentos/protocol";

import { type Vm, vmEnded } from "../vms/vm.ts";
import type { HandlerContext } from "./handler-context.ts";
import { startOnce } from "./process-start.ts";

/** Processes. */
export function processHandlers(context: HandlerContext): Handlers {
  const { host, holder } = context;
  return {
    "process.exec": (params, { signal }) => exec(context, params, signal),
    "process.spawn": async (params) => {
      const started = startOnce(context, params, false);
      await started.begun;
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

async function exec(
  context: HandlerContext,
  params: ParsedParams<"process.exec">,
  signal: AbortSignal,
): Promise<ProcessExit> {
  const { vm } = context.host.access(context.holder, params);
  const { process, exited, begun } = startOnce(context, params, true);
  // A lost connection is not a cancel: the process waits for its lease to be resumed.
  const cancel = (): void => {
    if (isAgentOsError(signal.reason, "CANCELLED")) process?.cancel();
  };
  signal.addEventListener("abort", cancel, { once: true });
  if (begun !== undefined) await begun;
  return await exited.catch((error: unknown) => {
    throw whyEnded(error, vm);
  });
}

/** Its driver knows that the VM ended; why, the sidecar does. */
function whyEnded(error: unknown, vm: Vm): unknown {
  const isItsEnd = isAgentOsError(error, "VM_ENDED") && vm.ending !== undefined;
  return isItsEnd ? vmEnded(vm.id, vm.ending) : error;
}

type LogParams = ParsedParams<"process.log">;

async function openLog(
  { host, holder, streams }: HandlerContext,
  params: LogParams,
): Promise<MethodResult<"process.log">> {
  const { vm, handle } = host.access(holder, params);
  const process = vm.processes.get(params.processId);
  const link = streams.open({
    number: params.stream,
    vmKey: vm.facts.key,
    windowBytes: DEFAULTS.streamWindowBytes,
    kind: "log",
    meter: vm.output,
  });
  try {
    const from = { stdout: params.stdoutFrom ?? 0, stderr: params.stderrFrom ?? 0 };
    const source = await handle.openLog(params.processId, from, link);
    link.attach(source);
    const { written } = source;
    return { ...process.summary, ...(written === undefined ? {} : { written }) };
  } catch (error) {
    link.close();
    throw error;
  }
}
