import type { Block, CalledTool } from "../formats/wire-format.ts";
import type { StopReason } from "../script/reply-options.ts";
import type { ReplyPart, ToolCallPart } from "../script/reply-part.ts";

/** Finds the tool that a call means. */
export type ResolveTool = (part: ToolCallPart) => CalledTool;

/** The pieces of an answer so far. */
export class BlockList {
  readonly #resolveTool: ResolveTool;
  readonly #blocks: Block[] = [];

  constructor(resolveTool: ResolveTool) {
    this.#resolveTool = resolveTool;
  }

  get all(): readonly Block[] {
    return this.#blocks;
  }

  /** Why an answer with these pieces stops. */
  get stop(): StopReason {
    const types = new Set(this.#blocks.map(({ type }) => type));
    if (types.has("refusal")) return "refusal";
    return types.has("tool") ? "tool_calls" : "end";
  }

  add(part: Extract<ReplyPart, { pieces: Iterable<string> }>): Block {
    const { type } = part;
    const block: Block = {
      type,
      index: this.#blocks.length,
      indexOfType: this.#blocks.filter((other) => other.type === type).length,
      content: "",
      ...(type === "tool" ? { tool: this.#resolveTool(part) } : {}),
    };
    this.#blocks.push(block);
    return block;
  }
}
