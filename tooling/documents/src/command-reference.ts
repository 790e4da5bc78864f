import { join } from "node:path";

import { execa } from "execa";

import { ROOT } from "./pages.ts";

const MAIN = join(ROOT, "apps", "cli", "dist", "main.js");
/** Commander's own, which has nothing to tell. */
const OF_COMMANDER = "help";

/** What `agentos --help` and `agentos COMMAND --help` print, for every command and what is below it. */
export async function commandReference(): Promise<string> {
  return (await pagesBelow([])).join("\n\n");
}

async function pagesBelow(path: readonly string[]): Promise<string[]> {
  const help = await helpOf(path);
  const title = ["agentos", ...path].join(" ");
  const names = subcommandsOf(help).filter((name) => name !== OF_COMMANDER);
  const page = `### ${title}\n\n\`\`\`text\n${help.trim()}\n\`\`\``;
  const below = await Promise.all(names.map((name) => pagesBelow([...path, name])));
  return [page, ...below.flat()];
}

async function helpOf(path: readonly string[]): Promise<string> {
  const { stdout } = await execa(process.execPath, [MAIN, ...path, "--help"], {
    // As in the pages, whatever terminal this runs in.
    env: { NO_COLOR: "1", PATH: process.env["PATH"] ?? "" },
    extendEnv: false,
  });
  return stdout;
}

function subcommandsOf(help: string): string[] {
  const list = /^Commands:\n((?: {2}.*\n?)*)/m.exec(help)?.[1] ?? "";
  return [...list.matchAll(/^ {2}([\w-]+)/gm)].map(([, name = ""]) => name);
}
