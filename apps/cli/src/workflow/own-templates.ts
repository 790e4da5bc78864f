import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";

import { AgentOsError } from "@agentos/client";

import type { Io } from "../io.ts";
import { readText } from "./read-text.ts";

/** Where templates of one's own are looked for, in the working directory. */
const DIRECTORIES = [".agentos/templates", ".relay/templates"];
const NAME = /^([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.(ya?ml|json)$/;

export interface OwnTemplate {
  readonly name: string;
  readonly text: string;
}

/** The templates of a folder, or of the usual ones. Rejects with `INVALID_ARGUMENT` where the folder asked for can't be read. */
export async function ownTemplates(io: Io, asked: string | undefined): Promise<OwnTemplate[]> {
  const found = new Map<string, OwnTemplate>();
  for (const directory of asked === undefined ? DIRECTORIES : [asked]) {
    const path = resolve(io.directory, directory);
    // oxlint-disable-next-line no-await-in-loop -- The first folder that has the name.
    for (const file of await filesIn(path, asked)) {
      const name = NAME.exec(file)?.[1];
      if (name === undefined || found.has(name)) continue;
      // oxlint-disable-next-line no-await-in-loop -- As above.
      found.set(name, { name, text: await readText(join(path, file), file) });
    }
  }
  return [...found.values()];
}

/** The one of that name; a name is looked up, and never a path. */
export async function ownTemplate(
  io: Io,
  name: string,
  asked: string | undefined,
): Promise<OwnTemplate | undefined> {
  return (await ownTemplates(io, asked)).find((template) => template.name === name);
}

async function filesIn(path: string, asked: string | undefined): Promise<string[]> {
  try {
    return (await readdir(path)).toSorted();
  } catch (error) {
    // The usual folders need not be there.
    if (asked === undefined) return [];
    const reason = error instanceof Error ? error.message : String(error);
    const details = { argument: "--templates", expected: "a folder of templates", actual: asked };
    const message = `--templates: expected a folder of templates, got ${asked}: ${reason}`;
    throw new AgentOsError("INVALID_ARGUMENT", message, details);
  }
}
