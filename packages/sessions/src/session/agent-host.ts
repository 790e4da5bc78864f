import type {
  AgentEndpoint,
  AgentTrace,
  RuntimeEvent,
  RuntimeHost,
  RuntimeState,
  SessionVm,
  ToolDoor,
  ToolVerdict,
} from "@agentos/core";
import type { Question, RequestAnswer, ToolCall, ToolResult } from "@agentos/protocol";

import type { ToolDesk, ToolTurn } from "../tool-desk.ts";
import { asAgentOsError, cancelled, nothing } from "./deadline.ts";
import { bounded, boundedCall, pieces } from "./event-bounds.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import type { SessionDoors } from "./session-doors.ts";
import type { EarlierCalls } from "./earlier-calls.ts";
import type { CountedCall, SessionParts } from "./session-parts.ts";
import type { TurnRun } from "./turn-run.ts";

type ToolOutputEvent = Extract<RuntimeEvent, { type: "tool_output" }>;

export interface AgentHostOptions {
  readonly parts: SessionParts;
  readonly desk: ToolDesk;
  readonly doors: SessionDoors;
  /** The turn that runs now. */
  readonly run: () => TurnRun | undefined;
  /** What an earlier life has told of the running turn. */
  readonly earlier?: EarlierCalls | undefined;
}

/** The engine as one opened agent sees it. Once the agent is given up, nothing it says has an effect. */
export class AgentHost implements RuntimeHost {
  readonly vm: SessionVm;
  readonly state: RuntimeState;
  readonly #options: AgentHostOptions;
  /** Calls that the agent runs by itself. */
  readonly #own = new Map<string, ToolCall>();
  /** Characters of output told by call. */
  readonly #outputs = new Map<string, number>();
  /** Results of those whose hooks look at them. */
  readonly #ending = new Set<ToolResult>();
  #trace: AgentTrace | undefined;
  #isLive = true;

  constructor(options: AgentHostOptions) {
    this.#options = options;
    const { access, record, host } = options.parts;
    const { store } = host;
    this.vm = access;
    for (const call of this.openCalls) this.#own.set(call.callId, call);
    this.state = {
      load: () => store.runtimeState(record.key),
      append: (entries) => this.#isLive && store.appendRuntimeState(record.key, entries),
      replace: (entries) => this.#isLive && store.replaceRuntimeState(record.key, entries),
    };
  }

  /** The agent is given up. */
  end(): void {
    this.#isLive = false;
  }

  emit(event: RuntimeEvent, agent?: string): void {
    const run = this.#run();
    if (run === undefined) return;
    run.time.sign();
    if (event.type === "rate_limit" && event.hard) run.time.expectSilence(event.resetAt);
    if (event.type === "text" || event.type === "thought" || event.type === "tool_output") {
      const shown = event.type === "tool_output" ? this.#shown(event) : event;
      for (const delta of pieces(shown)) run.gather(delta, agent);
      return;
    }
    run.tell(bounded(event), agent);
    if (event.type === "compaction") run.compacted(event.summary);
  }

  async callTool(call: ToolCall, signal: AbortSignal): Promise<ToolResult> {
    const run = this.#running(call.name);
    const known = this.#options.earlier?.take(call.callId);
    if (known?.result !== undefined) return known.result;
    const startedMs = performance.now();
    if (known !== undefined) {
      const lost = interruptedResult(call);
      this.#ended(run, lost);
      return lost;
    }
    run.tell({ type: "tool_call", call: boundedCall(call) });
    const goOn = run.time.pauseForTool();
    try {
      const result = await this.#options.desk.call(call, this.#toolTurn(run, signal));
      this.#ended(run, result);
      return result;
    } catch (error) {
      const result = failedResult(call, error, performance.now() - startedMs);
      this.#ended(run, result);
      if (result.outcome === "cancelled") throw cancelled(call.name);
      return result;
    } finally {
      goOn();
    }
  }

  async authorizeTool(call: ToolCall, signal: AbortSignal): Promise<ToolVerdict> {
    const run = this.#running(call.name);
    const isTold = this.#options.earlier?.take(call.callId) !== undefined;
    if (!isTold) run.tell({ type: "tool_call", call: boundedCall(call) });
    this.#own.set(call.callId, call);
    const goOn = run.time.pauseForTool();
    try {
      return await this.#options.desk.authorize(call, this.#toolTurn(run, signal));
    } catch (error) {
      if (run.signal.aborted || signal.aborted) throw cancelled(call.name);
      return { allow: false, message: asAgentOsError(error).message, input: call.input };
    } finally {
      goOn();
    }
  }

  toolEnded(result: ToolResult): void {
    const run = this.#run();
    const call = this.#own.get(result.callId) ?? {
      callId: result.callId,
      name: result.name,
      input: null,
    };
    this.#own.delete(result.callId);
    if (run === undefined) return;
    run.time.sign();
    this.#ending.add(result);
    const tell = (seen: ToolResult): void => {
      this.#ending.delete(result);
      this.#ended(run, seen);
      this.#keepAgain();
    };
    const told = this.#options.desk
      .ended(call, result, this.#toolTurn(run, run.signal))
      .then(tell, () => tell(result));
    run.waitFor(told);
  }

  /** The same for a result that an earlier life had not told. */
  endAgain(result: ToolResult): void {
    if (this.#own.has(result.callId)) this.toolEnded(result);
  }

  async ask(
    questions: readonly Question[],
    signal: AbortSignal,
  ): Promise<RequestAnswer | undefined> {
    const run = this.#running("question");
    const goOn = run.time.pauseForTool();
    try {
      return await this.#options.desk.ask(questions, this.#toolTurn(run, signal));
    } finally {
      goOn();
    }
  }

  modelCalled(used: CountedCall): void {
    const run = this.#run();
    // Not only while it goes on: what a cancelled call used was used.
    if (run === undefined) throw cancelled("a model call");
    run.time.sign();
    run.modelCalled(used);
  }

  recordSession(agentSessionId: string): void {
    const { record } = this.#options.parts;
    if (!this.#isLive || record.now.agentSessionId === agentSessionId) return;
    const turnId = this.#run()?.turn.turnId ?? null;
    const happening = { type: "session_id" as const, agentSessionId };
    record.write({ entries: [{ turnId, happening }], change: { agentSessionId } });
  }

  together(work: () => void): void {
    this.#options.parts.record.together(work);
  }

  keepTrace(trace: AgentTrace, kept: () => void): void {
    if (!this.#isLive) return;
    this.#trace = trace;
    const results = [...this.#ending];
    this.#options.parts.record.keepTrace({ ...trace, results }, kept);
  }

  get openCalls(): readonly ToolCall[] {
    return this.#options.earlier?.open ?? [];
  }

  async endpoint({ signal }: { signal: AbortSignal }): Promise<AgentEndpoint> {
    return await this.#options.doors.endpoint(signal);
  }

  async toolDoor({ signal }: { signal: AbortSignal }): Promise<ToolDoor> {
    return await this.#options.doors.tools(this.#options.desk.tools, signal);
  }

  #keepAgain(): void {
    if (this.#trace !== undefined) this.keepTrace(this.#trace, nothing);
  }

  /** As much of a call's output as may be told. */
  #shown(event: ToolOutputEvent): ToolOutputEvent {
    const { callId, delta } = event;
    const told = this.#outputs.get(callId) ?? 0;
    const left = SESSION_BOUNDS.toolOutputChars - told;
    this.#outputs.set(callId, told + delta.length);
    if (delta.length <= left) return event;
    const more = left > 0 ? "\n(the rest of its output is not shown)\n" : "";
    return { ...event, delta: delta.slice(0, Math.max(0, left)) + more };
  }

  #ended(run: TurnRun, result: ToolResult): void {
    this.#outputs.delete(result.callId);
    if (this.#isLive && !run.isOver) run.tell(bounded({ type: "tool_result", result }));
  }

  #toolTurn(run: TurnRun, signal: AbortSignal): ToolTurn {
    const { turnId, fence } = run.turn;
    return {
      turnId,
      fence,
      signal: AbortSignal.any([signal, run.signal]),
      output: (callId, delta) => this.emit({ type: "tool_output", callId, delta }),
    };
  }

  #run(): TurnRun | undefined {
    if (!this.#isLive) return undefined;
    const run = this.#options.run();
    return run?.isOver === false ? run : undefined;
  }

  /** Throws `CANCELLED` where no turn runs: what the agent wants now has nobody to want it. */
  #running(operation: string): TurnRun {
    const run = this.#run();
    if (run === undefined || run.signal.aborted) throw cancelled(operation);
    return run;
  }
}

/** Nobody knows how far it came: it is not begun a second time. */
function interruptedResult({ callId, name }: ToolCall): ToolResult {
  const text = "the sidecar was restarted while it ran: whether it had its effect is not known";
  const content = [{ type: "text" as const, text }];
  return { callId, name, outcome: "failed", content, truncated: false, durationMs: 0 };
}

function failedResult(call: ToolCall, error: unknown, durationMs: number): ToolResult {
  const { code, message } = asAgentOsError(error);
  const outcome = code === "CANCELLED" ? "cancelled" : "failed";
  const { callId, name } = call;
  const content = [{ type: "text" as const, text: message }];
  return { callId, name, outcome, content, truncated: false, durationMs };
}
