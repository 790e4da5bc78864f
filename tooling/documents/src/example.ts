/** A fenced block of a page that readers may copy. */
export interface Example {
  readonly language: "json" | "sh" | "ts";
  /** The line of its opening fence, from 1. */
  readonly line: number;
  readonly code: string;
  /** What it takes for granted, from the `given` comment above it; not shown to readers. */
  readonly given: string;
  /** Why it can't be run here. */
  readonly notRun: string | undefined;
  /** Run in the root of the clone instead of the page's folder. */
  readonly inClone: boolean;
}

const FENCE = /^( *)(`{3,})([^\n`]*)\n([^]*?)^ *\2 *$/gm;
const GIVEN = /<!-- given: ((?:(?!-->)[^])*?) -->\s*$/;
const WORDS = /^(?<language>json|sh|ts)(?<clone> clone)?(?: no-run: (?<reason>\S.*))?$/;

/** The examples of a page. Throws where a fence is marked in a way that nothing here knows. */
export function readExamples(page: string, text: string): Example[] {
  return [...text.matchAll(FENCE)].flatMap((match) => {
    const [, indent = "", , info = "", code = ""] = match;
    // No example: a picture, a table of words, or what a program prints.
    if (info.trim() === "" || info.trim() === "text") return [];
    const before = text.slice(0, match.index);
    const line = before.split("\n").length;
    const words = WORDS.exec(info.trim())?.groups;
    if (words === undefined) throw new Error(unknownInfo(page, line, info));
    return [
      {
        language: languageOf(words["language"]),
        line,
        code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
        given: GIVEN.exec(before)?.[1] ?? "",
        notRun: words["reason"],
        inClone: words["clone"] !== undefined,
      },
    ];
  });
}

function languageOf(word: string | undefined): Example["language"] {
  return word === "json" || word === "sh" ? word : "ts";
}

function unknownInfo(page: string, line: number, info: string): string {
  return `${page}:${line}: expected a block of ts, sh or json, then perhaps "clone" or "no-run: why", or of text; got "${info}"`;
}
