import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import type { WorkflowCheckOptions, WorkflowInput } from "@agentos/client";

import type { Io } from "../io.ts";
import { ownTemplate } from "./own-templates.ts";
import { LARGEST_BYTES, readText, refused } from "./read-text.ts";

const STEP_FILES = [".agentos/steps.yaml", ".relay/steps.yaml"];

export interface FileOptions {
  readonly template?: boolean;
  /** Where templates of one's own are. */
  readonly templates?: string;
  readonly steps?: string;
}

/** A workflow's text, and that of the custom steps beside it. Rejects with `INVALID_ARGUMENT` where there is no such file. */
export async function readWorkflow(
  io: Io,
  file: string,
  { template = false, templates, steps }: FileOptions,
): Promise<{ input: WorkflowInput; customSteps: WorkflowCheckOptions["customSteps"] }> {
  const beside = template || file === "-" ? io.directory : dirname(resolve(io.directory, file));
  const customSteps = await stepsOf(io, steps, beside);
  if (template) {
    const own = await ownTemplate(io, file, templates);
    return { input: own === undefined ? { template: file } : { text: own.text }, customSteps };
  }
  const text = file === "-" ? await readAll(io) : await readText(resolve(io.directory, file), file);
  return { input: { text }, customSteps };
}

async function stepsOf(
  io: Io,
  asked: string | undefined,
  beside: string,
): Promise<{ text: string } | undefined> {
  if (asked !== undefined) return { text: await readText(resolve(io.directory, asked), asked) };
  for (const name of STEP_FILES) {
    const path = join(beside, name);
    // oxlint-disable-next-line no-await-in-loop -- The first one that is there.
    if (await isFile(path)) return { text: await readText(path, path) };
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function readAll({ stdin }: Io): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const piece = Buffer.from(chunk);
    bytes += piece.byteLength;
    if (bytes > LARGEST_BYTES) throw refused(`at most ${LARGEST_BYTES} bytes`, "more");
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString("utf8");
}
