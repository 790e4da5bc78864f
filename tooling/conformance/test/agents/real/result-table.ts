import { readFile, writeFile } from "node:fs/promises";

import type { AgentCheck } from "./agent-under-test.ts";

const PAGE = new URL("../../../../../docs/agents.md", import.meta.url);
const BEGIN = "<!-- results: npm run test:agents -->";
const END = "<!-- end of results -->";

interface Row {
  readonly version: string;
  readonly cells: Map<string, string>;
}

/** What each agent passed, as a table of docs/agents.md. */
export class ResultTable {
  readonly #rows = new Map<string, Row>();
  readonly #titles = new Map<string, string>();

  begin(agent: string, version: string): void {
    this.#rows.set(agent, { version, cells: new Map() });
  }

  passed(agent: string, check: AgentCheck, said: string): void {
    this.#set(agent, check, said);
  }

  failed(agent: string, check: AgentCheck): void {
    this.#set(agent, check, "**no**");
  }

  excepted(agent: string, check: AgentCheck, why: string): void {
    this.#set(agent, check, why);
  }

  /** Only where it was asked for: times differ from run to run. */
  async write(): Promise<void> {
    if (process.env["AGENTOS_WRITE_RESULTS"] !== "1") return;
    const page = await readFile(PAGE, "utf8");
    const [before = "", rest = ""] = page.split(BEGIN);
    const [, after = ""] = rest.split(END);
    await writeFile(PAGE, `${before}${BEGIN}\n\n${this.#text()}\n${END}${after}`);
  }

  #text(): string {
    const agents = [...this.#rows];
    const head = ["", ...agents.map(([agent, { version }]) => `${agent} ${version}`)];
    const lines = [...this.#titles].map(([id, title]) => [
      title,
      ...agents.map(([, { cells }]) => cells.get(id) ?? "not tried"),
    ]);
    const all = [head, head.map(() => "---"), ...lines];
    return all.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
  }

  #set(agent: string, { id, title }: AgentCheck, text: string): void {
    this.#titles.set(id, title);
    this.#rows.get(agent)?.cells.set(id, text);
  }
}
