import { join } from "node:path";

import { type Declaration, exportedNames, readDeclaration } from "./declarations.ts";
import { ROOT } from "./pages.ts";

const INDEX = join(ROOT, "packages", "client", "dist", "index.d.ts");

/** Everything that `@agentos/client` exports, as tables, from what was built. */
export function clientReference(): string {
  const exported = exportedNames(INDEX);
  const own = exported.filter(({ from }) => from.endsWith(".d.ts")).map(readDeclaration);
  const classes = own.filter(({ members }) => members.length > 0);
  const others = own.filter(({ members }) => members.length === 0);
  const shared = exported.filter(({ from }) => !from.endsWith(".d.ts"));
  return [
    ...classes.map(section),
    "### Other names",
    table(
      ["name", "what"],
      others.map(({ heading, summary }) => [code(heading), cell(summary)]),
    ),
    `From \`@agentos/protocol\`, for which see [protocol.md](protocol.md#types) and [errors.md](errors.md): ${shared.map(({ name }) => `\`${name}\``).join(", ")}.`,
  ].join("\n\n");
}

function section({ name, heading, summary, members }: Declaration): string {
  const title = `### ${name}`;
  const extended = / extends (.*?)(?: implements .*)?$/.exec(heading.replace(/^[^{]*?>/, ""))?.[1];
  const base = extended === undefined ? "" : ` Has all of \`${extended}\` too.`;
  const rows = members.map((member) => [code(member.signature), cell(member.summary)]);
  return [title, `${summary}${base}`.trim(), table(["member", "what"], rows)]
    .filter((part) => part !== "")
    .join("\n\n");
}

function code(text: string): string {
  return `\`${cell(text)}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}
