import type { Block } from "../wire-format.ts";

type Status = "in_progress" | "completed";

/** The id of the item that a block becomes. */
function itemId(block: Block, n: number): string {
  const prefix = { text: "msg", refusal: "msg", thinking: "rs", tool: "fc" }[block.type];
  return `${prefix}_fake_${n}_${block.index}`;
}

/** A block as an item of the output; without its content while it is in progress. */
export function responsesItem(block: Block, n: number, status: Status): Record<string, unknown> {
  const id = itemId(block, n);
  const done = status === "completed";
  switch (block.type) {
    case "text":
    case "refusal":
      return {
        id,
        type: "message",
        status,
        role: "assistant",
        content: done ? [contentPart(block)] : [],
      };
    case "thinking": {
      const summary = done ? [{ type: "summary_text", text: block.content }] : [];
      return { id, type: "reasoning", summary, encrypted_content: "c2NyaXB0ZWQ=" };
    }
    case "tool":
    default:
      return toolItem(block, id, status);
  }
}

/** The one part of a message. */
export function contentPart({ type, content }: Block): Record<string, unknown> {
  return type === "refusal"
    ? { type: "refusal", refusal: content }
    : { type: "output_text", text: content, annotations: [], logprobs: [] };
}

function toolItem({ tool, content }: Block, id: string, status: Status): Record<string, unknown> {
  const written = status === "completed" ? content : "";
  const call = { status, call_id: tool?.id, name: tool?.name };
  if (tool?.freeForm === true) {
    return { id: `ctc${id.slice(2)}`, type: "custom_tool_call", ...call, input: written };
  }
  const namespace = tool?.namespace === undefined ? {} : { namespace: tool.namespace };
  return { id, type: "function_call", ...call, ...namespace, arguments: written };
}
