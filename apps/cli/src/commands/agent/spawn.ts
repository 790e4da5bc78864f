import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { readable } from "../../output/readable.ts";
import { write, writeJson } from "../../output/write.ts";
import { type AgentOptions, agentOptions } from "../../session/agent-options.ts";
import { leaseVm } from "../../session/lease-vm.ts";

export interface SpawnOptions extends AgentOptions {
  readonly runtime: string;
  readonly vm: string;
  readonly command?: string;
  readonly arg?: readonly string[];
  readonly task?: string;
  readonly team?: string;
  readonly channel?: readonly string[];
  readonly parent?: string;
  readonly continueFrom?: string;
  readonly shadowOf?: string;
  readonly restart?: number;
}

/** `agentos agent spawn NAME`. */
export async function spawn(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string,
  options: SpawnOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  await using os = await leaseVm(pool, options.vm, interrupts.signal);
  const { command, arg: args, channel: channels, restart, task, team, parent } = options;
  const { continueFrom, shadowOf } = options;
  const named = { command, args, channels, task, team, parent, continueFrom, shadowOf };
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  const agent = await os.relay.spawn(name, {
    runtime: options.runtime,
    ...agentOptions(options.runtime, options, io.env),
    ...Object.fromEntries(given),
    ...(restart === undefined ? {} : { restart: { maxRestarts: restart } }),
  });
  if (json === true) await writeJson(io.stdout, agent);
  else await write(io.stdout, readable(`${agent.name}\n`));
  if (agent.warning !== undefined && json !== true)
    await write(io.stderr, readable(`agentos: ${agent.warning}\n`));
  return EXIT_CODE.ok;
}
