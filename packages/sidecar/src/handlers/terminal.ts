import {
  AgentOsError,
  DEFAULTS,
  type Handlers,
  type TerminalInfo,
  type TerminalOpen,
} from "@agentos/protocol";

import {
  assertTerminal,
  type HostedTerminal,
  isTerminal,
  runningTerminals,
  terminalInfo,
  terminalOf,
  terminalsOf,
} from "../vms/hosted-terminal.ts";
import type { Access } from "../vms/holder.ts";
import type { Vm } from "../vms/vm.ts";
import type { HandlerContext } from "./handler-context.ts";
import { assertArguments } from "./process-arguments.ts";
import { announce, announceAgain } from "./process-start.ts";
import { attachTerminal } from "./terminal-attach.ts";

const WORKING_DIRECTORY = "/workspace";
/** What every terminal emulator of today understands. */
const TERM = "xterm-256color";

/** Terminals. Their signals, ends and release are their processes'. */
export function terminalHandlers(context: HandlerContext): Handlers {
  const { host, holder } = context;
  return {
    "terminal.open": async (params) => {
      const access = host.access(holder, params);
      const process = openOnce(context, access, params);
      await process.started;
      return terminalInfo(access.vm, process);
    },
    "terminal.attach": (params) => attachTerminal(context, params),
    "terminal.resize": ({ cols, rows, ...params }) => {
      const { vm, handle } = host.access(holder, params);
      const process = terminalOf(vm, params.terminalId);
      terminalsOf(handle).resize(params.terminalId, { cols, rows });
      process.terminal = { cols, rows };
      return {};
    },
    "terminal.info": (params) => {
      const access = host.access(holder, params);
      const process = terminalOf(access.vm, params.terminalId);
      announceAgain(context, access, process);
      return terminalInfo(access.vm, process);
    },
    "terminal.list": async () => {
      const vms = await host.running(holder.user);
      return { terminals: vms.flatMap(terminalsIn) };
    },
  };
}

function terminalsIn(vm: Vm): TerminalInfo[] {
  return vm.processes.terminals().map((process) => terminalInfo(vm, process));
}

/** Starts it, or finds the one that this request started before, in this life of the sidecar or an earlier one. */
function openOnce(context: HandlerContext, access: Access, params: TerminalOpen): HostedTerminal {
  const { processes } = access.vm;
  const { terminalId: id } = params;
  terminalsOf(access.handle);
  const known = processes.find(id);
  if (known !== undefined && isTerminal(known)) {
    announceAgain(context, access, known);
    return known;
  }
  if (known !== undefined || processes.findReleased(id) !== undefined) {
    const message = `there was a process ${id} already`;
    throw new AgentOsError("ALREADY_EXISTS", message, { kind: "process", id });
  }
  return start(context, access, params);
}

function start(context: HandlerContext, access: Access, params: TerminalOpen): HostedTerminal {
  const { vm, handle, lease } = access;
  assertArguments(params);
  vm.processes.assertRoom();
  assertTerminals(vm);
  const { terminalId: processId, argv, cwd = WORKING_DIRECTORY, cols, rows, timeoutMs } = params;
  const { scrollbackBytes = DEFAULTS.scrollbackBytes } = params;
  const env = { TERM, ...vm.environment, ...params.env };
  const process = vm.processes.start({
    start: (request, reader) => handle.startProcess(request, reader),
    request: {
      processId,
      argv,
      cwd,
      env,
      stdin: "none",
      output: "logged",
      windowBytes: DEFAULTS.streamWindowBytes,
      terminal: { cols, rows, scrollbackBytes },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    },
    link: undefined,
    leaseId: lease.leaseId,
    endsRead: false,
  });
  announce(context, access, process);
  return assertTerminal(process, processId);
}

/** Throws `POOL_EXHAUSTED` where as many run as may. */
function assertTerminals(vm: Vm): void {
  const capacity = vm.limits.value("terminals");
  const running = runningTerminals(vm);
  if (capacity === undefined) return;
  vm.limits.note("terminals", capacity, running + 1);
  if (running < capacity) return;
  vm.limits.hit("terminals", capacity);
  const details = { limit: "terminals", capacity, waiting: 0 };
  const message = `the VM has ${capacity} terminals, the most it may have`;
  throw new AgentOsError("POOL_EXHAUSTED", message, details);
}
