import { AgentOsError } from "@agentos/protocol";
import { isMap, isPair, isScalar, Lexer, parseDocument, visit, type YAMLMap } from "yaml";

/** Characters of a file. */
const LARGEST = 1_000_000;
/** Uses of anchors: a few levels of them expand to gigabytes. */
const MOST_ALIASES = 100;
/** Words and marks: what the parser makes of more takes it minutes. */
const MOST_TOKENS = 60_000;
/** What deeper nesting is for, nobody knows. */
const DEEPEST = 64;
/** What every object has by itself. */
const REFUSED_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** The value of a YAML or JSON text from anywhere. Throws `INVALID_ARGUMENT` with the line. */
export function readText(text: string, name: string): unknown {
  if (text.length > LARGEST) throw refused(name, `at most ${LARGEST} characters`, `${text.length}`);
  assertShallow(text, name);
  assertFew(text, name);
  // The parser compares each key with all others.
  const options = { schema: "core", merge: false, version: "1.2", uniqueKeys: false } as const;
  const document = parseDocument(text, options);
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw refused(name, "a YAML document", firstLines(fault.message));
  visit(document, {
    Map: (_, map) => assertUnique(map, name),
    Pair: (_, { key }, path) => {
      if (path.length > 2 * DEEPEST) throw refused(name, `at most ${DEEPEST} levels`, "more");
      const word = isScalar(key) ? wordOf(key.value) : undefined;
      if (word === undefined) throw refused(name, "keys that are words", "another kind of key");
      if (REFUSED_KEYS.has(word)) throw refused(name, "keys of a workflow", word);
    },
  });
  if (!isMap(document.contents) || document.contents.items.some((item) => !isPair(item)))
    throw refused(name, "a mapping", "something else");
  try {
    return document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw refused(name, `at most ${MOST_ALIASES} uses of anchors`, "more");
  }
}

function wordOf(key: unknown): string | undefined {
  return typeof key === "string" || typeof key === "number" || typeof key === "boolean"
    ? String(key)
    : undefined;
}

function assertFew(text: string, name: string): void {
  let tokens = 0;
  for (const _ of new Lexer().lex(text)) {
    tokens += 1;
    if (tokens > MOST_TOKENS) throw refused(name, `at most ${MOST_TOKENS} words and marks`, "more");
  }
}

function assertUnique({ items }: YAMLMap, name: string): void {
  const seen = new Set<string>();
  for (const { key } of items) {
    const word = isScalar(key) ? wordOf(key.value) : undefined;
    if (word === undefined) continue;
    if (seen.has(word)) throw refused(name, "keys that are unique", `${word} twice`);
    seen.add(word);
  }
}

/** Before parsing: the parser calls itself for each level. */
function assertShallow(text: string, name: string): void {
  let depth = 0;
  for (const character of text) {
    if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth = Math.max(0, depth - 1);
    // Brackets in texts count too, so that no quoting rule can be played against this one.
    if (depth > DEEPEST) throw refused(name, `at most ${DEEPEST} levels`, "more");
  }
  const deepest = text.split("\n").reduce((most, line) => Math.max(most, levelsOf(line)), 0);
  if (deepest > DEEPEST) throw refused(name, `at most ${DEEPEST} levels`, "more");
}

/** `- - - - a` opens a level with each dash, and `? ? a` with each mark. */
function levelsOf(line: string): number {
  return /^[\s?:-]*/.exec(line)?.[0].replaceAll(/\s/g, "").length ?? 0;
}

function firstLines(message: string): string {
  return message.split("\n").slice(0, 2).join(" ").trim();
}

function refused(argument: string, expected: string, actual: string): AgentOsError {
  const details = { argument, expected, actual };
  return new AgentOsError(
    "INVALID_ARGUMENT",
    `${argument}: expected ${expected}, got ${actual}`,
    details,
  );
}
