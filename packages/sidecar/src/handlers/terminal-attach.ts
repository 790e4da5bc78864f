import { DEFAULTS, type TerminalAttach, type TerminalAttached } from "@agentos/protocol";

import type { StreamLink } from "../server/stream-link.ts";
import { terminalInfo, terminalOf, terminalsOf } from "../vms/hosted-terminal.ts";
import type { Vm } from "../vms/vm.ts";
import type { HandlerContext } from "./handler-context.ts";
import { announceAgain } from "./process-start.ts";

/** Attaches a stream of the connection to a terminal, or goes on with one that was attached before. */
export async function attachTerminal(
  context: HandlerContext,
  params: TerminalAttach,
): Promise<TerminalAttached> {
  const { vm } = context.host.access(context.holder, params);
  const { started } = terminalOf(vm, params.terminalId);
  // Before anything is awaited: input may follow the request at once.
  const link = openLink(context, vm, params);
  try {
    await started;
    return await attach(context, params, link);
  } catch (error) {
    link.close();
    throw error;
  }
}

async function attach(
  context: HandlerContext,
  params: TerminalAttach,
  link: StreamLink,
): Promise<TerminalAttached> {
  const access = context.host.access(context.holder, params);
  const { vm, handle, lease } = access;
  const { terminalId, attachmentId, mode, received } = params;
  const process = terminalOf(vm, terminalId);
  announceAgain(context, access, process);
  const known = vm.attachments.find(attachmentId);
  if (known?.terminalId === terminalId) {
    known.leaseId = lease.leaseId;
    await known.readOn(link, received ?? 0);
    return { terminal: terminalInfo(vm, process) };
  }
  const attachment = vm.attachments.add({ attachmentId, terminalId, leaseId: lease.leaseId });
  attachment.use(link);
  try {
    const from = received ?? params.from ?? 0;
    const request = { processId: terminalId, attachmentId, mode, from };
    const { attachment: source, end, size } = await terminalsOf(handle).attach(request, attachment);
    attachment.opened(source);
    // The program may have set it itself; at its end there is none.
    if (size.cols > 0) process.terminal = size;
    return { terminal: terminalInfo(vm, process), end };
  } catch (error) {
    attachment.close();
    throw error;
  }
}

function openLink({ streams }: HandlerContext, vm: Vm, params: TerminalAttach): StreamLink {
  const { stream: number } = params;
  const windowBytes = DEFAULTS.streamWindowBytes;
  const { key: vmKey } = vm.facts;
  return streams.open({ number, vmKey, windowBytes, kind: "terminal", meter: vm.output });
}
