import type { WorkflowRun } from "@agentos/client";

import { EXIT_CODE } from "../exit-code.ts";
import type { Interrupts } from "../guest/interrupts.ts";
import type { WorkflowView } from "./workflow-view.ts";

export interface WatchOptions {
  readonly view: WorkflowView;
  readonly interrupts: Interrupts;
  /** The last event that was seen already. */
  readonly after: number;
}

/** Shows a run to its end. Ctrl-C ends the run; a second one leaves it. The exit code says how it ended. */
export async function watchRun(
  run: WorkflowRun,
  { view, interrupts, after }: WatchOptions,
): Promise<number> {
  const leave = new AbortController();
  interrupts.deliverTo({
    forward: () => void run.abort().catch(() => leave.abort()),
    kill: () => leave.abort(),
  });
  try {
    for await (const event of run.events({ after, signal: leave.signal })) await view.show(event);
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
  const { status } = await run.info();
  if (interrupts.exitCode !== undefined) return interrupts.exitCode;
  return status === "completed" ? EXIT_CODE.ok : EXIT_CODE.turnStopped;
}
