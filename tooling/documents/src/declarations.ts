import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A property or method, as its declaration file has it. */
interface Member {
  readonly signature: string;
  readonly summary: string;
}

/** What a package exports under one name. */
export interface Declaration {
  readonly name: string;
  readonly kind: "class" | "interface" | "function" | "type" | "const";
  readonly summary: string;
  /** The first line, without modifiers and the opening brace. */
  readonly heading: string;
  readonly members: readonly Member[];
}

/** The names that a package's `index.d.ts` exports, with the file that each comes from. */
export interface Exported {
  readonly name: string;
  /** Absolute; or the specifier of another package. */
  readonly from: string;
}

const EXPORTS = /^export (?:type )?\{([^}]*)\} from "([^"]+)";$/gm;
const START =
  /^(?:\/\*\* (?<summary>[^\n]*) \*\/\n)?export (?:declare )?(?:abstract )?(?<kind>class|interface|function|type|const) (?<name>\w+)/gm;

export function exportedNames(index: string): Exported[] {
  const text = readFileSync(index, "utf8");
  return [...text.matchAll(EXPORTS)].flatMap(([, names = "", specifier = ""]) => {
    const from = specifier.startsWith(".")
      ? join(dirname(index), specifier.replace(/\.ts$/, ".d.ts"))
      : specifier;
    return names
      .split(",")
      .map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "")
      .map((name) => ({ name, from }));
  });
}

/** The declaration of a name in a declaration file. Throws where there is none. */
export function readDeclaration({ name, from }: Exported): Declaration {
  const text = withShortComments(readFileSync(from, "utf8"));
  const start = [...text.matchAll(START)].find((match) => match.groups?.["name"] === name);
  const kind = kindOf(start?.groups?.["kind"]);
  if (start === undefined || kind === undefined)
    throw new Error(`expected ${from} to declare ${name}`);
  const rest = text.slice(text.indexOf("export", start.index));
  const hasBody = kind === "class" || kind === "interface";
  const heading = hasBody ? rest.slice(0, rest.indexOf(" {\n")) : rest.slice(0, endOf(rest));
  return {
    name,
    kind,
    summary: start.groups?.["summary"] ?? "",
    heading: heading.replace(/^export (?:declare )?/, "").replaceAll(/\s+/g, " "),
    members: hasBody ? membersOf(rest.slice(0, rest.indexOf("\n}"))) : [],
  };
}

/** Each comment on one line, however it was broken. */
function withShortComments(text: string): string {
  return text.replaceAll(/\/\*\*([^]*?)\*\//g, (_, words: string) => {
    const lines = words.split("\n").map((line) => line.trim().replace(/^\*\s?/, ""));
    return `/** ${lines.filter((line) => line !== "").join(" ")} */`;
  });
}

function kindOf(word: string | undefined): Declaration["kind"] | undefined {
  const kinds = ["class", "interface", "function", "type", "const"] as const;
  return kinds.find((kind) => kind === word);
}

/** Of a declaration without a body: the semicolon at the end of a line that is not inside of braces. */
function endOf(text: string): number {
  const inner = /^(?:[^;{]|\{[^}]*\})*/.exec(text);
  return inner?.[0].length ?? text.length;
}

/** Every member but the private ones and the disposal, which a class has because it is `AsyncDisposable`. */
function membersOf(body: string): Member[] {
  const found: Member[] = [];
  let summary = "";
  let open = "";
  for (const line of body.split("\n").slice(1)) {
    const comment = open === "" ? /^ {4}\/\*\* (.*) \*\/$/.exec(line)?.[1] : undefined;
    if (comment !== undefined) {
      summary = comment;
      continue;
    }
    open = `${open} ${line.trim()}`.trim();
    if (!/^ {4}\S.*;$|^ {4}\S*[})].*;$/.test(line)) continue;
    if (isPublic(open)) found.push({ signature: shortened(open), summary });
    summary = "";
    open = "";
  }
  return found;
}

/** That an option may be `undefined` is said by its question mark. */
function shortened(member: string): string {
  return member
    .replace(/;$/, "")
    .replace(/^((?:readonly )?\w+\?: .*) \| undefined$/, "$1")
    .replaceAll("; }", " }");
}

function isPublic(signature: string): boolean {
  return !/^(?:#private|private |constructor\(|\[Symbol\.)/.test(signature);
}
