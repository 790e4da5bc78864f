import type { Content, ContentPart, SessionHappening, Step } from "@agentos/protocol";

import { SESSION_BOUNDS } from "./session-bounds.ts";

/** A happening, with the turn and agent that it is of. */
export interface Entry {
  readonly turnId: string | null;
  readonly agent?: string | undefined;
  readonly happening: SessionHappening;
}

interface OpenText {
  readonly entry: Entry;
  readonly kind: "text" | "thinking";
  readonly at: number;
  text: string;
}

/** Events that a piece of text goes on over. */
const BESIDE: readonly SessionHappening["type"][] = [
  "tool_output",
  "usage",
  "rate_limit",
  "notice",
  "raw",
  "session_id",
];

/** Makes the history of what happens: one step per finished piece. Indices only grow. */
export class StepBuilder {
  #next: number;
  readonly #texts = new Map<string, OpenText>();

  constructor(next: number) {
    this.#next = next;
  }

  /** The next step's index. */
  get next(): number {
    return this.#next;
  }

  /** The steps that end with this: text before it, then it. */
  add(entry: Entry, at: number): Step[] {
    const { happening } = entry;
    if (happening.type === "text") return this.#text(entry, "text", happening.delta, at);
    if (happening.type === "thought") return this.#text(entry, "thinking", happening.delta, at);
    if (BESIDE.includes(happening.type)) return [];
    const finished = happening.type === "turn_end" ? this.#endAll() : this.#endText(entry.agent);
    const own = pieceOf(happening);
    return own === undefined ? finished : [...finished, this.#step(entry, own, at)];
  }

  #text(entry: Entry, kind: OpenText["kind"], delta: string, at: number): Step[] {
    const open = this.#texts.get(entry.agent ?? "");
    const isRoom = (open?.text.length ?? 0) + delta.length <= SESSION_BOUNDS.stepChars;
    if (open?.kind === kind && isRoom) {
      open.text += delta;
      return [];
    }
    const finished = this.#endText(entry.agent);
    this.#texts.set(entry.agent ?? "", { entry, kind, at, text: delta });
    return finished;
  }

  #endAll(): Step[] {
    return [...this.#texts.keys()].flatMap((agent) => this.#endText(agent));
  }

  #endText(agent = ""): Step[] {
    const open = this.#texts.get(agent);
    this.#texts.delete(agent);
    if (open === undefined || open.text === "") return [];
    const { entry, kind, text, at } = open;
    return [this.#step(entry, { kind, role: "agent", text }, at)];
  }

  #step({ turnId, agent }: Entry, piece: Piece, at: number): Step {
    const index = this.#next;
    this.#next += 1;
    return { index, turnId, at, ...(agent === undefined ? {} : { agent }), ...piece };
  }
}

type Piece = Pick<Step, "kind" | "role" | "text" | "call" | "result">;

function pieceOf(happening: SessionHappening): Piece | undefined {
  if (happening.type === "turn_start")
    return { kind: "text", role: "user", text: plainText(happening.prompt) };
  if (happening.type === "tool_call") {
    const { call } = happening;
    return { kind: "tool_call", role: "agent", text: call.name, call };
  }
  if (happening.type === "tool_result") {
    const { result } = happening;
    return { kind: "tool_result", role: "system", text: plainText(result.content), result };
  }
  if (happening.type === "compaction")
    return { kind: "compaction", role: "system", text: happening.summary ?? "" };
  if (happening.type === "error")
    return { kind: "system", role: "system", text: happening.error.message };
  return undefined;
}

/** The text of it; other parts are named. */
function plainText(content: Content | readonly ContentPart[]): string {
  if (typeof content === "string") return content;
  return content.map(partText).join("\n");
}

function partText(part: ContentPart): string {
  if (part.type === "text") return part.text;
  if (part.type === "image") return `[image ${part.path ?? part.mediaType}]`;
  return `[file ${part.name ?? part.path ?? part.mediaType}]`;
}
