import { posix } from "node:path";

import type { SessionVm } from "@agentos/core";
import { AgentOsError, type SessionSpec } from "@agentos/protocol";

import { readFile } from "../vm/read-file.ts";
import { asAgentOsError } from "./deadline.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import { DEFAULT_CWD } from "./session-parts.ts";

/** What an agent is told of its surroundings: where it works, and which skills there are. */
export async function announcements(spec: SessionSpec, vm: SessionVm): Promise<string[]> {
  const skills = await Promise.all((spec.skills ?? []).map((path) => skillAt(vm, path)));
  const told = skills.map(({ name, description, path }) => `- ${name} (${path}): ${description}`);
  const about = "Skills: before a task that one is for, read its SKILL.md and do as it says.";
  return [workspaces(spec), ...(told.length === 0 ? [] : [[about, ...told].join("\n")])];
}

function workspaces(spec: SessionSpec): string {
  const cwd = spec.cwd ?? DEFAULT_CWD;
  const paths = spec.workspaces ?? [cwd];
  if (paths.length === 0) return `You work in ${cwd}.`;
  return `You work in ${cwd}. Files may be changed below: ${paths.join(", ")}.`;
}

interface Skill {
  readonly name: string;
  readonly description: string;
  readonly path: string;
}

/** Rejects with `INVALID_ARGUMENT` for a folder without a SKILL.md that says its name and what it is for. */
async function skillAt(vm: SessionVm, folder: string): Promise<Skill> {
  const path = posix.join(folder, "SKILL.md");
  const { bytes } = await readFile(vm.handle().files, path, SESSION_BOUNDS.skillBytes).catch(
    (error: unknown) => {
      throw refused(path, asAgentOsError(error).message);
    },
  );
  const fields = frontMatter(bytes.toString());
  const name = fields.get("name");
  const description = fields.get("description");
  if (name === undefined || description === undefined)
    throw refused(path, "no front matter with both");
  return { name, description, path };
}

/** The plain `key: value` lines between the first two `---`. */
function frontMatter(text: string): Map<string, string> {
  const block = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1] ?? "";
  const lines = block.split(/\r?\n/).flatMap((line) => {
    const [, key, value = ""] = /^([A-Za-z_-]+):\s*(.*)$/.exec(line) ?? [];
    const plain = value.trim().replace(/^(["'])(.*)\1$/, "$2");
    return key === undefined || plain === "" ? [] : [[key, plain] as const];
  });
  return new Map(lines);
}

function refused(path: string, actual: string): AgentOsError {
  const argument = "session.skills";
  const expected = `${path} with a name and a description`;
  const message = `${argument}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
