import { join } from "node:path";
import { pathToFileURL } from "node:url";

import * as z from "zod";

import { ROOT } from "./pages.ts";

const PROGRAM = pathToFileURL(join(ROOT, "apps", "cli", "dist", "program.js")).href;
/** The command exports nothing to other packages: what its bin runs is taken from what was built. */
const Program = z.object({
  runCommandLine: z.custom<(args: readonly string[], io: object) => Promise<number>>(
    (value) => typeof value === "function",
    "expected the command's runCommandLine",
  ),
});
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
  const { runCommandLine } = Program.parse(await import(PROGRAM));
  let help = "";
  const stdout = { write: (text: string) => (help += text) };
  // As in the pages, whatever this runs in.
  const io = { stdout, stderr: stdout, env: { NO_COLOR: "1" } };
  const code = await runCommandLine([...path, "--help"], io);
  if (code !== 0) throw new Error(`agentos ${path.join(" ")} --help ended with ${code}: ${help}`);
  return help;
}

function subcommandsOf(help: string): string[] {
  const list = /^Commands:\n((?: {2}.*\n?)*)/m.exec(help)?.[1] ?? "";
  return [...list.matchAll(/^ {2}([\w-]+)/gm)].map(([, name = ""]) => name);
}
