import type { Handlers, MethodResult, ParsedParams } from "@agentos/protocol";

import type { HandlerContext } from "./handler-context.ts";
import { startOnce } from "./process-start.ts";

/** Trees as one stream, and watches: each a process of the VM's own agent. */
export function treeHandlers(context: HandlerContext): Handlers {
  return {
    "fs.pack": ({ path, ...params }) => start(context, params, ["pack", path]),
    "fs.unpack": ({ path, ...params }) => start(context, params, ["unpack", path], "pipe"),
    "fs.list": ({ path, without = [], digest = false, ...params }) =>
      start(context, params, ["list", path, ...(digest ? ["digest"] : []), ...without]),
    "fs.watch": ({ path, recursive = false, ...params }) =>
      start(context, params, recursive ? ["watch", path, "recursive"] : ["watch", path]),
  };
}

async function start(
  context: HandlerContext,
  params: Omit<ParsedParams<"fs.pack">, "path">,
  argv: string[],
  stdin: "none" | "pipe" = "none",
): Promise<MethodResult<"fs.pack">> {
  // What the agent does needs no directory that the VM may not have.
  const request = { ...params, argv, cwd: "/", stdin, builtin: true } as const;
  const started = startOnce(context, request, false);
  await started.begun;
  return { processId: params.processId, pid: await started.pid() };
}
