import type { MethodName, MethodParams } from "@agentos/protocol";

type Repeatable = { readonly [M in MethodName]?: (params: MethodParams<M>) => boolean };

const always = (): boolean => true;

/** The requests on a VM that, asked twice, do what they do asked once. */
const REPEATABLE: Repeatable = {
  ping: always,
  "vm.end": always,
  "vm.info": always,
  "vm.stats": always,
  "vm.processes": always,
  "process.list": always,
  "process.release": always,
  "process.signal": ({ signal }) => signal === "SIGKILL",
  "snapshot.create": always,
  "snapshot.remove": () => false,
  "session.create": always,
  "session.list": always,
  "session.info": always,
  "session.events": always,
  "session.history": always,
  "session.prompt": always,
  "session.cancel": ({ turnId }) => turnId !== undefined,
  "session.waitForIdle": always,
  "session.waitForWakeup": always,
  "session.signalIdle": always,
  "session.handle": always,
  "session.close": always,
  "session.delete": always,
  "session.fork": always,
  "session.spawn": always,
  "workflow.check": always,
  "workflow.run": always,
  "workflow.list": always,
  "workflow.show": always,
  "workflow.step": always,
  "workflow.events": always,
  "workflow.pause": always,
  "workflow.abort": always,
  "workflow.handle": always,
  "workflow.templates": always,
  "terminal.resize": always,
  "terminal.info": always,
  "terminal.list": always,
  "fs.stat": always,
  "fs.lstat": always,
  "fs.readlink": always,
  "fs.realpath": always,
  "fs.chmod": always,
  "fs.truncate": always,
  "fs.mkdir": ({ recursive }) => recursive === true,
  "fs.rm": ({ force }) => force === true,
};

/** Whether the request may be asked again where nobody knows if it took effect. */
export function isRepeatable<M extends MethodName>(method: M, params: MethodParams<M>): boolean {
  return REPEATABLE[method]?.(params) ?? false;
}
