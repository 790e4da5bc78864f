import { styleText } from "node:util";

import type { WorkflowEvent } from "@agentos/client";

import type { Io } from "../io.ts";
import { usesColour } from "../output/demo-screen.ts";
import { formatDuration } from "../output/quantity.ts";
import { readable } from "../output/readable.ts";
import { write, writeJson } from "../output/write.ts";

type Style = Parameters<typeof styleText>[0];
type StepEvent = Extract<WorkflowEvent, { step: string }>;

/** Lines of a step's output that are shown; `workflow show --step` has the rest. */
const SHOWN_LINES = 6;

/** Shows a run's events as they come. */
export interface WorkflowView {
  show(event: WorkflowEvent): Promise<void>;
}

/** For a person, or one JSON line per event. */
export function createWorkflowView(io: Io, json: boolean): WorkflowView {
  if (json) return { show: (event) => writeJson(io.stdout, event) };
  return new WorkflowTextView(io);
}

/** One line for what happens, each step with its time and the beginning of its output. */
class WorkflowTextView implements WorkflowView {
  readonly #io: Io;
  readonly #startedMs = new Map<string, number>();

  constructor(io: Io) {
    this.#io = io;
  }

  async show(event: WorkflowEvent): Promise<void> {
    if ("step" in event) await this.#step(event);
    else if (event.type === "run_failed") await this.#line("red", "✗", event.error);
    else if (event.type === "run_completed") await this.#line("green", "✓", "completed");
    else if (event.type === "run_cancelled") await this.#line("yellow", "!", "cancelled");
    else if (event.type === "run_interrupted") await this.#line("yellow", "!", "broke off");
    else if (event.type === "run_paused") await this.#line("yellow", "!", "paused");
    else if (event.type === "run_continued") await this.#line("cyan", "●", "goes on");
    else if (event.type === "preflight_passed") await this.#line("green", "✓", event.command);
    else if (event.type === "barrier_reached")
      await this.#line("cyan", "▪", `barrier ${event.barrier}`);
  }

  async #step(event: StepEvent): Promise<void> {
    const { step } = event;
    if (event.type === "step_started") {
      this.#startedMs.set(step, Date.parse(event.at));
      const by = event.agent === null || event.agent === step ? "" : ` (${event.agent})`;
      await this.#line("cyan", "●", `${step}${by}`);
    } else if (event.type === "step_completed") {
      await this.#line("green", "✓", step, this.#timeOf(event));
      await this.#output(event.output);
    } else if (event.type === "step_failed")
      await this.#line("red", "✗", `${step}: ${event.error}`, this.#timeOf(event));
    else await this.#other(event);
  }

  async #other(event: StepEvent): Promise<void> {
    const { step } = event;
    if (event.type === "step_skipped") await this.#line("dim", "-", `${step}: ${event.reason}`);
    else if (event.type === "step_retrying")
      await this.#line("yellow", "↻", `${step}, try ${event.attempt}: ${event.error}`);
    else if (event.type === "step_iterating")
      await this.#line("yellow", "↻", `${step}, again (${event.iteration}): ${event.reason}`);
    else if (event.type === "step_reviewed")
      await this.#line("cyan", "▪", `${step}: ${event.reviewer} votes ${event.vote}`);
    else if (event.type === "step_nudged")
      await this.#line("yellow", "!", `${step}: reminded (${event.nudgeCount})`);
    else if (event.type === "step_force_released")
      await this.#line("yellow", "!", `${step}: released`);
  }

  #timeOf({ step, at }: WorkflowEvent & { step: string }): string {
    const startedMs = this.#startedMs.get(step);
    return startedMs === undefined ? "" : ` (${formatDuration(Date.parse(at) - startedMs)})`;
  }

  async #output(output: string): Promise<void> {
    const lines = output
      .trimEnd()
      .split("\n")
      .filter((line) => line.trim() !== "");
    for (const line of lines.slice(0, SHOWN_LINES))
      await write(this.#io.stdout, `    ${readable(line)}\n`);
    const hidden = lines.length - SHOWN_LINES;
    if (hidden > 0)
      await write(this.#io.stdout, this.#style("dim", `    … ${hidden} more lines\n`));
  }

  async #line(style: Style, mark: string, text: string, time = ""): Promise<void> {
    const [first = ""] = readable(text).split("\n");
    await write(
      this.#io.stdout,
      `${this.#style(style, mark)} ${first}${this.#style("dim", time)}\n`,
    );
  }

  #style(style: Style, text: string): string {
    return usesColour(this.#io) ? styleText(style, text, { validateStream: false }) : text;
  }
}
