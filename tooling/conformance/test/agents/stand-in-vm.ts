import { readFile } from "node:fs/promises";

import { AgentOs } from "@agentos/client";

type StandIn = "acp" | "codex" | "pi";

const PROVIDERS: Readonly<Record<StandIn, string | undefined>> = {
  acp: undefined,
  codex: "openai",
  pi: "anthropic",
};

/** A VM with a small program that speaks as the runtime's agents do. */
export async function vmWithStandIn(runtime: StandIn): Promise<AgentOs> {
  const source = new URL(`stand-ins/${runtime}.mjs`, import.meta.url);
  const os = await AgentOs.create({ driver: "linux" });
  await os.fs.writeFile(commandOf(runtime), await readFile(source, "utf8"), { mode: 0o755 });
  return os;
}

/** What its session is made of. */
export function standInOptions(runtime: StandIn) {
  const name = PROVIDERS[runtime];
  // None of them asks its model.
  const provider = { baseUrl: "http://127.0.0.1:9/v1", apiKey: "no-vm-has-it" };
  const model = name === undefined ? {} : { provider: { name, ...provider } };
  return { runtime, command: commandOf(runtime), ...model };
}

function commandOf(runtime: StandIn): string {
  return `/workspace/${runtime}.mjs`;
}
