import { clientReference } from "./client-reference.ts";
import { commandReference } from "./command-reference.ts";

/** The sections of pages that are written from what is built, by page and name. */
export const GENERATED_SECTIONS: Readonly<
  Record<string, { readonly name: string; readonly render: () => string | Promise<string> }>
> = {
  "docs/client.md": { name: "reference", render: clientReference },
  "docs/command.md": { name: "help", render: commandReference },
};

/** `page` with what stands between its markers replaced. Throws where they are missing. */
export function withSection(page: string, name: string, text: string): string {
  const begin = `<!-- begin generated: ${name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(`<!-- end generated: ${name} -->`);
  if (from === -1 || to < from) throw new Error(`expected the markers of ${name} in the page`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}

/** Without what only the formatter decides: the spacing of tables. */
export function squeezed(text: string): string {
  return text
    .replaceAll(/ {2,}/g, " ")
    .replaceAll(/-{3,}/g, "---")
    .replaceAll(/\n{2,}/g, "\n");
}
