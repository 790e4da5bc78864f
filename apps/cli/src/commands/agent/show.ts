import { Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatAge } from "../../output/quantity.ts";
import { readable } from "../../output/readable.ts";
import { write, writeJson } from "../../output/write.ts";

/** `agentos agent show NAME`. */
export async function show(io: Io, { pool, json }: GlobalOptions, name: string): Promise<number> {
  const agent = await Relay.connect({ pool }).agent(name);
  if (json === true) {
    await writeJson(io.stdout, agent);
    return EXIT_CODE.ok;
  }
  const rows: readonly (readonly [string, string])[] = [
    ["agent", agent.name],
    ["state", agent.state === "ready" ? agent.activity : agent.state],
    ["runtime", agent.model === null ? agent.runtime : `${agent.runtime}, ${agent.model}`],
    ["waiting", `${agent.pending} messages${agent.held ? ", held" : ""}`],
    ["channels", agent.channels.map((channel) => `#${channel}`).join(" ")],
    ["team", agent.team ?? "-"],
    ["parent", agent.parent ?? "-"],
    ["restarts", String(agent.restarts)],
    ["age", formatAge(Date.now() - agent.createdAt)],
    ["session", agent.sessionId],
    ["VM", agent.vmId],
  ];
  const lines = rows.map(([title, value]) => `${title.padEnd(9)} ${readable(value)}\n`);
  await write(io.stdout, lines.join(""));
  return EXIT_CODE.ok;
}
