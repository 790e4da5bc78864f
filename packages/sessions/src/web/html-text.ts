import { AgentOsError } from "@agentos/protocol";
import { Parser } from "htmlparser2";

/** Elements that hold nothing to read. */
const SILENT = new Set(["script", "style", "noscript", "template", "svg", "iframe", "object"]);
/** What stands on lines of its own, with this many line ends around it. */
const BLOCKS: Readonly<Record<string, number>> = Object.fromEntries([
  ...["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "pre", "blockquote"].map(
    (name) => [name, 2],
  ),
  ...["title", "section", "article", "figure", "hr"].map((name) => [name, 2]),
  ...["div", "header", "footer", "main", "nav", "aside", "form", "fieldset", "li"].map((name) => [
    name,
    1,
  ]),
  ...["dt", "dd", "tr", "figcaption", "address", "option", "br"].map((name) => [name, 1]),
]);
/** No page of a person is nested so deeply; the parser's work would grow with the square of it. */
const MAX_DEPTH = 2_000;

type Attributes = Readonly<Record<string, string>>;

/** The readable text of a page, from its HTML as it arrives: headings, lists, tables and links are marked. */
export class HtmlText {
  readonly #parser: Parser;
  readonly #base: string;
  readonly #maxChars: number;
  #text = "";
  /** Line ends and spaces that come before the next word. */
  #lines = 0;
  #hasSpace = false;
  #silent = 0;
  #preformatted = 0;
  #depth = 0;
  readonly #links: (string | undefined)[] = [];

  /** `base`: what its links are relative to. Text past `maxChars` is dropped. */
  constructor(base: string, maxChars: number) {
    this.#base = base;
    this.#maxChars = maxChars;
    this.#parser = new Parser({
      onopentag: (name, attributes) => this.#open(name, attributes),
      onclosetag: (name) => this.#close(name),
      ontext: (text) => this.#say(text),
    });
  }

  /** Nothing more would be taken. */
  get isFull(): boolean {
    return this.#text.length >= this.#maxChars;
  }

  /** Throws `INVALID_ARGUMENT` for what is nested too deeply. */
  write(html: string): void {
    this.#parser.write(html);
  }

  end(): string {
    this.#parser.end();
    return this.#text.slice(0, this.#maxChars).trim();
  }

  #open(name: string, attributes: Attributes): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw tooDeep();
    if (SILENT.has(name)) this.#silent += 1;
    this.#breakFor(name);
    if (name === "a") this.#links.push(this.#linkOf(attributes["href"]));
    const mark = openingMark(name, attributes);
    if (mark !== "") this.#put(mark);
    if (name === "pre") this.#preformatted += 1;
  }

  #close(name: string): void {
    this.#depth -= 1;
    if (SILENT.has(name)) this.#silent -= 1;
    if (name === "pre") {
      this.#preformatted -= 1;
      this.#put("\n```");
    }
    if (name === "a") {
      const link = this.#links.pop();
      if (link !== undefined) this.#put(` (${link})`);
    }
    if (name === "td" || name === "th") this.#endCell();
    this.#breakFor(name);
  }

  #endCell(): void {
    this.#put(" |");
    this.#hasSpace = true;
  }

  #say(text: string): void {
    if (this.#silent > 0) return;
    if (this.#preformatted > 0) return this.#put(text);
    const words = text.replaceAll(/\s+/g, " ");
    if (words.startsWith(" ")) this.#hasSpace = true;
    const word = words.trim();
    if (word === "") return;
    this.#put(word);
    this.#hasSpace = words.endsWith(" ");
  }

  #breakFor(name: string): void {
    if (this.#preformatted > 0 && name !== "br") return;
    this.#lines = Math.max(this.#lines, BLOCKS[name] ?? 0);
  }

  #put(text: string): void {
    if (this.#silent > 0 || this.isFull) return;
    if (this.#text !== "" && this.#lines > 0) this.#text += "\n".repeat(this.#lines);
    else if (this.#hasSpace && !/\s$/.test(this.#text.slice(-1))) this.#text += " ";
    this.#lines = 0;
    this.#hasSpace = false;
    this.#text += text;
  }

  /** The whole address; undefined for a place in the page itself and for what is no page. */
  #linkOf(href: string | undefined): string | undefined {
    if (href === undefined || href.startsWith("#")) return undefined;
    const url = URL.parse(href, this.#base);
    return url !== null && /^https?:$/.test(url.protocol) ? url.href : undefined;
  }
}

function openingMark(name: string, attributes: Attributes): string {
  const level = /^h([1-6])$/.exec(name)?.[1];
  if (level !== undefined) return `${"#".repeat(Number(level))} `;
  if (name === "li") return "- ";
  if (name === "pre") return "```\n";
  if (name === "hr") return "---";
  if (name === "img" && (attributes["alt"] ?? "") !== "") return `[image: ${attributes["alt"]}]`;
  return "";
}

function tooDeep(): AgentOsError {
  const expected = `elements within at most ${MAX_DEPTH} others`;
  const message = `the page: expected ${expected}, got more`;
  const details = { argument: "url", expected, actual: "more" };
  return new AgentOsError("INVALID_ARGUMENT", message, details);
}
