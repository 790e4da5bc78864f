import { mkdirSync } from "node:fs";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Continuity } from "@agentos/client";
import * as z from "zod";

import { stateFileName } from "./state-file-name.ts";

/** A file as v1 has it: times are seconds. */
const File = z.object({
  agent_name: z.string(),
  cli: z.string().nullish(),
  initial_task: z.string().nullish(),
  cwd: z.string().nullish(),
  released_at: z.number(),
  lifetime_seconds: z.number(),
  message_history: z.array(z.object({ from: z.string(), text: z.string() })).default([]),
  summary: z.string(),
});

/** What released agents leave, a file for each name: the next release of the name writes it again. */
export class ContinuityFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  async write(cli: string | null, left: Continuity): Promise<void> {
    const file: z.input<typeof File> = {
      agent_name: left.agentName,
      cli: cli ?? left.runtime,
      initial_task: left.task,
      cwd: left.cwd,
      released_at: Math.floor(left.releasedAt / 1_000),
      lifetime_seconds: Math.floor(left.lifetimeMs / 1_000),
      message_history: left.messages,
      summary: left.summary,
    };
    const name = (await this.#find(left.agentName)) ?? `${stateFileName(left.agentName)}.json`;
    const path = join(this.#directory, name);
    // Whole or not at all.
    await writeFile(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  /** Undefined: nothing was left under that name. A file that is none is nothing. */
  async read(agent: string | null | undefined): Promise<Continuity | undefined> {
    const name = agent == null ? undefined : await this.#find(agent);
    if (name === undefined) return undefined;
    const text = await readFile(join(this.#directory, name), "utf8");
    const file = File.safeParse(parseJson(text));
    if (!file.success) return undefined;
    const { agent_name, cli, initial_task, cwd, message_history, summary } = file.data;
    return {
      agentName: agent_name,
      runtime: cli ?? "pty",
      task: initial_task ?? null,
      cwd: cwd ?? "/",
      releasedAt: file.data.released_at * 1_000,
      lifetimeMs: file.data.lifetime_seconds * 1_000,
      messages: message_history.slice(-50),
      summary,
    };
  }

  /** Whatever its case: names that differ only in that are the same. Only what is in the directory is found. */
  async #find(agent: string): Promise<string | undefined> {
    const wanted = fold(`${stateFileName(agent)}.json`);
    return (await readdir(this.#directory)).find((name) => fold(name) === wanted);
  }
}

function fold(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
