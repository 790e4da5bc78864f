import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { ROOT } from "./pages.ts";

const MAIN = join(ROOT, "apps", "cli", "dist", "main.js");
/** Commander's own, which has nothing to tell. */
const OF_COMMANDER = "help";

/** What `agentos --help` and `agentos COMMAND --help` print, for every command and what is below it. */
export function commandReference(): string {
  return pagesBelow([]).join("\n\n");
}

function pagesBelow(path: readonly string[]): string[] {
  const help = helpOf(path);
  const title = ["agentos", ...path].join(" ");
  const names = subcommandsOf(help).filter((name) => name !== OF_COMMANDER);
  const page = `### ${title}\n\n\`\`\`text\n${help.trim()}\n\`\`\``;
  return [page, ...names.flatMap((name) => pagesBelow([...path, name]))];
}

function helpOf(path: readonly string[]): string {
  return execFileSync(process.execPath, [MAIN, ...path, "--help"], {
    encoding: "utf8",
    // As wide as in the pages, whatever terminal this runs in.
    env: { NO_COLOR: "1", COLUMNS: "100", PATH: process.env["PATH"] ?? "" },
  });
}

function subcommandsOf(help: string): string[] {
  const list = /^Commands:\n((?: {2}.*\n?)*)/m.exec(help)?.[1] ?? "";
  return [...list.matchAll(/^ {2}([\w-]+)/gm)].map(([, name = ""]) => name);
}
