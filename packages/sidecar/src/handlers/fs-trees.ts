import type { Handlers, MethodResult, ParsedParams } from "@agentos/protocol";

import type { HandlerContext } from "./handler-context.ts";
import { startOnce } from "./process-start.ts";

/** Trees as one stream: a process of the VM's own agent packs or unpacks each. */
export function treeHandlers(context: HandlerContext): Handlers {
  return {
    "fs.pack": (params) => start(context, params, "pack"),
    "fs.unpack": (params) => start(context, params, "unpack"),
  };
}

async function start(
  context: HandlerContext,
  { path, ...params }: ParsedParams<"fs.pack">,
  way: "pack" | "unpack",
): Promise<MethodResult<"fs.pack">> {
  const stdin = way === "unpack" ? "pipe" : "none";
  // What the agent does needs no directory that the VM may not have.
  const program = { argv: [way, path], cwd: "/", stdin, tree: true } as const;
  const started = startOnce(context, { ...params, ...program, argv: [...program.argv] }, false);
  await started.begun;
  return { processId: params.processId, pid: await started.pid() };
}
