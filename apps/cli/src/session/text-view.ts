import { styleText } from "node:util";

import type { SessionEvent, ToolCall, ToolResult } from "@agentos/client";

import type { Io } from "../io.ts";
import { usesColour } from "../output/demo-screen.ts";
import { formatDuration } from "../output/quantity.ts";
import { readable } from "../output/readable.ts";
import { write } from "../output/write.ts";
import { describeCall } from "./describe-call.ts";
import { describeUsage } from "./describe-usage.ts";
import type { SessionView } from "./session-view.ts";

/** Lines of one tool's output that are shown live; the rest is counted. */
const SHOWN_LINES = 12;

/** A tool at work. */
interface RunningTool {
  readonly title: string;
  /** Of its output, so far. */
  lines: number;
}

type TurnEnd = Extract<SessionEvent, { type: "turn_end" }>["result"];
type Prompt = Extract<SessionEvent, { type: "turn_start" }>["prompt"];
type Style = Parameters<typeof styleText>[0];

/** A session as a person reads it: streaming text, each tool with its time, what is asked, what it cost. */
export class TextView implements SessionView {
  readonly #io: Io;
  readonly #showsPrompts: boolean;
  /** What the cursor stands behind; a block begins on a line of its own. */
  #block: "none" | "text" | "thought" = "none";
  #atLineStart = true;
  /** The tools that are at work, by their call's id. */
  readonly #running = new Map<string, RunningTool>();
  /** The call that was shown last. */
  #last: string | undefined;

  constructor(io: Io, { prompts = false }: { readonly prompts?: boolean } = {}) {
    this.#io = io;
    this.#showsPrompts = prompts;
  }

  async show(event: SessionEvent): Promise<void> {
    const agent = event.agent === undefined ? "" : `${event.agent} `;
    if (event.type === "text") await this.#stream("text", event.delta);
    else if (event.type === "thought") await this.#stream("thought", event.delta, "dim");
    else if (event.type === "tool_call") await this.#call(agent, event.call);
    else if (event.type === "tool_output") await this.#toolOutput(event);
    else if (event.type === "tool_result") await this.#result(event.result);
    else if (event.type === "turn_end") await this.#end(event.result);
    else await this.#other(event);
  }

  async #other(event: SessionEvent): Promise<void> {
    if (event.type === "turn_start" && this.#showsPrompts)
      await this.#line(this.#style("bold", `> ${readable(textOf(event.prompt))}`));
    else if (event.type === "notice")
      await this.#line(this.#style("yellow", `! ${readable(event.message)}`));
    else if (event.type === "rate_limit") {
      const until = event.resetAt === null ? "" : ` until ${event.resetAt}`;
      await this.#line(this.#style("yellow", `! rate limit${until}`));
    } else if (event.type === "compaction") await this.#line(this.#style("dim", "(compacted)"));
    else if (event.type === "plan") {
      const marks = { pending: "[ ]", in_progress: "[~]", completed: "[x]" } as const;
      for (const { text, status } of event.entries)
        await this.#line(`${marks[status]} ${readable(text)}`);
    }
  }

  async #call(agent: string, call: ToolCall): Promise<void> {
    const { title, lines } = describeCall(call);
    await this.#line(`${this.#style("cyan", "●")} ${agent}${this.#style("bold", readable(title))}`);
    for (const { sign, text } of lines) {
      const style = sign === "-" ? "red" : "green";
      await this.#line(this.#style(style, `    ${sign} ${readable(text)}`));
    }
    this.#running.set(call.callId, { title: `${agent}${title}`, lines: 0 });
    this.#last = call.callId;
  }

  async #toolOutput({ callId, delta }: { callId: string; delta: string }): Promise<void> {
    const tool = this.#running.get(callId);
    for (const line of delta.split("\n").filter((text) => text !== "")) {
      if (tool !== undefined) tool.lines += 1;
      if ((tool?.lines ?? 0) > SHOWN_LINES) continue;
      await this.#sayWhose(callId);
      await this.#line(`    │ ${readable(line)}`);
    }
  }

  async #result(result: ToolResult): Promise<void> {
    const { callId } = result;
    const hidden = (this.#running.get(callId)?.lines ?? 0) - SHOWN_LINES;
    await this.#sayWhose(callId);
    if (hidden > 0) await this.#line(this.#style("dim", `    │ … ${hidden} more lines`));
    const ok = result.outcome === "ok";
    const mark = this.#style(ok ? "green" : "red", ok ? "✓" : "✗");
    const why = ok ? "" : ` ${result.outcome}: ${firstLine(result)}`;
    const time = this.#style("dim", `(${formatDuration(result.durationMs)})`);
    await this.#line(`  ${mark}${readable(why)} ${time}`);
    this.#running.delete(callId);
  }

  /** Names the tool where what was shown last is of another. */
  async #sayWhose(callId: string): Promise<void> {
    const title = this.#running.get(callId)?.title;
    if (this.#last !== callId && title !== undefined)
      await this.#line(this.#style("dim", `  ${readable(title)}`));
    this.#last = callId;
  }

  async #end(result: TurnEnd): Promise<void> {
    const { stopReason, error, budget } = result;
    if (error !== undefined) await this.#line(this.#style("red", `✗ ${readable(error.message)}`));
    else if (stopReason !== "end_turn") {
      const which = budget === undefined ? "" : ` (${budget})`;
      const why = stopReason === "interrupted" ? ": its sidecar ended. Prompt again to go on" : "";
      await this.#line(this.#style("yellow", `! stopped: ${stopReason}${which}${why}`));
    }
    await this.#line(this.#style("dim", describeUsage(result.usage, result.durationMs)));
    // A turn that was cut short leaves calls without results.
    this.#running.clear();
  }

  async #stream(block: "text" | "thought", delta: string, style?: Style): Promise<void> {
    if (this.#block !== block) await this.#freshLine();
    this.#block = block;
    this.#last = undefined;
    const text = readable(delta);
    if (text === "") return;
    this.#atLineStart = text.endsWith("\n");
    await write(this.#io.stdout, style === undefined ? text : this.#style(style, text));
  }

  async #line(text: string): Promise<void> {
    await this.#freshLine();
    await write(this.#io.stdout, `${text}\n`);
    this.#block = "none";
  }

  async #freshLine(): Promise<void> {
    if (!this.#atLineStart) await write(this.#io.stdout, "\n");
    this.#atLineStart = true;
  }

  #style(style: Style, text: string): string {
    return usesColour(this.#io) ? styleText(style, text, { validateStream: false }) : text;
  }
}

function textOf(content: Prompt): string {
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "text" ? part.text : `(${part.type})`)).join(" ");
}

function firstLine({ content }: ToolResult): string {
  const [first] = content;
  return first?.type === "text" ? (first.text.trim().split("\n")[0] ?? "") : "";
}
