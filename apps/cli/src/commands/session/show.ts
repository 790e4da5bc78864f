import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { readable } from "../../output/readable.ts";
import { write, writeJson } from "../../output/write.ts";
import { describeCall } from "../../session/describe-call.ts";
import { findSession } from "../../session/find-session.ts";

/** `agentos session show SESSION`: what it is, what it used, what it waits for. */
export async function show(io: Io, globals: GlobalOptions, id: string): Promise<number> {
  const { sessionId } = await findSession(globals, id);
  const info = await AgentOs.sessionInfo(sessionId, { pool: globals.pool });
  if (globals.json === true) {
    await writeJson(io.stdout, info);
    return EXIT_CODE.ok;
  }
  const { total } = info.usage;
  const vms = await AgentOs.list({ pool: globals.pool });
  const rows: readonly (readonly [string, string])[] = [
    ["session", info.sessionId],
    ["VM", vms.find(({ vmId }) => vmId === info.vmId)?.name ?? info.vmId],
    ["runtime", info.model === null ? info.runtime : `${info.runtime}, ${info.model}`],
    ["state", info.state],
    ["turns", `${info.turns}, ${info.queued} waiting`],
    ["tokens", `${total.inputTokens ?? "?"} in, ${total.outputTokens ?? "?"} out`],
    ["cost", total.costUsd === null ? "unknown" : `$${total.costUsd.toFixed(4)}`],
    ["tools", info.tools.map(({ name }) => name).join(" ")],
    ["says", info.lastResponse ?? "-"],
    ...info.pending.map((request): [string, string] => [
      "asks",
      request.kind === "permission"
        ? `${request.requestId}: ${describeCall(request.call).title}`
        : `${request.requestId}: ${request.questions.map(({ question }) => question).join(" ")}`,
    ]),
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(8)} ${readable(value)}\n`);
  await write(io.stdout, lines.join(""));
  return EXIT_CODE.ok;
}
