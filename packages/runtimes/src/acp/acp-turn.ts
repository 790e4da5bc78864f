import type { RuntimeHost } from "@agentos/core";
import type { Json } from "@agentos/protocol";

import type { AcpTools } from "./acp-tools.ts";
import { ChunkUpdate, PlanUpdate, ToolFields } from "./acp-message.ts";

/** Of a reply that the turn's result tells; all of it is in the events. */
const REPLY_CHARS = 256 * 1024;

/** What an agent tells in one turn. */
export class AcpTurn {
  readonly #host: RuntimeHost;
  readonly #tools: AcpTools;
  #text = "";

  constructor(host: RuntimeHost, tools: AcpTools) {
    this.#host = host;
    this.#tools = tools;
  }

  /** What was said after the last tool call. */
  get text(): string {
    return this.#text.trim();
  }

  /** The same, as it came. */
  get said(): string {
    return this.#text;
  }

  /** What an earlier life has heard of it. */
  set said(text: string) {
    this.#text = text;
  }

  take(kind: string, update: Json): void {
    switch (kind) {
      case "agent_message_chunk":
        return this.#chunk("text", update);
      case "agent_thought_chunk":
        return this.#chunk("thought", update);
      case "tool_call":
      case "tool_call_update": {
        const fields = ToolFields.safeParse(update).data;
        if (kind === "tool_call") this.#text = "";
        if (fields !== undefined) this.#tools.told(fields);
        return;
      }
      case "plan": {
        const plan = PlanUpdate.safeParse(update).data?.entries ?? [];
        const entries = plan.map(({ content: text, status }) => ({ text, status }));
        if (entries.length > 0) this.#host.emit({ type: "plan", entries });
        return;
      }
      default:
      // Commands, modes, titles: the raw line tells.
    }
  }

  /** A tool that was asked for begins another step. */
  stepped(): void {
    this.#text = "";
  }

  #chunk(type: "text" | "thought", update: Json): void {
    const delta = ChunkUpdate.safeParse(update).data?.content.text ?? "";
    if (delta === "") return;
    this.#host.emit({ type, delta });
    if (type === "text") this.#text += delta.slice(0, Math.max(0, REPLY_CHARS - this.#text.length));
  }
}
