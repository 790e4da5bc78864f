import { type AgentListing, AgentStore } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { type Column, formatTable } from "../output/table.ts";
import { write, writeJson } from "../output/write.ts";

const COLUMNS: readonly Column<AgentListing>[] = [
  { title: "AGENT", value: ({ agent }) => agent },
  { title: "INSTALLED", value: ({ installed }) => versionsOf(installed) || "-" },
  { title: "TRIED WITH", value: ({ defaultVersion }) => defaultVersion },
  { title: "", value: lineToType },
];

/** `agentos agents`: what there is, what is installed, what to type for the rest. */
export async function list(io: Io, { json }: GlobalOptions): Promise<number> {
  const store = new AgentStore();
  const agents = await store.list();
  if (json === true) await writeJson(io.stdout, { directory: store.directory, agents });
  else await write(io.stdout, formatTable(COLUMNS, agents));
  return EXIT_CODE.ok;
}

/** `agentos agents install AGENT[@VERSION]`. */
export async function install(io: Io, { json }: GlobalOptions, name: string): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const store = new AgentStore();
  try {
    const manifest = await store.install(name, { signal: interrupts.signal });
    if (json === true) await writeJson(io.stdout, manifest);
    else await write(io.stdout, `${manifest.agent} ${manifest.version} (${manifest.package})\n`);
    return EXIT_CODE.ok;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

/** `agentos agents remove AGENT[@VERSION]`. */
export async function remove(io: Io, { json }: GlobalOptions, name: string): Promise<number> {
  const removed = await new AgentStore().remove(name);
  if (json === true) await writeJson(io.stdout, { removed });
  else {
    const lines = removed.map(({ agent, version }) => `${agent} ${version}\n`);
    await write(io.stdout, lines.join(""));
  }
  return EXIT_CODE.ok;
}

function versionsOf(installed: AgentListing["installed"]): string {
  return installed.map(({ version }) => version).join(", ");
}

function lineToType({ agent, installed, defaultVersion }: AgentListing): string {
  const isThere = installed.some(({ version }) => version === defaultVersion);
  return isThere ? "" : `agentos agents install ${agent}`;
}
