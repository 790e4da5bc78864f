import type {
  WorkflowAgentRequest,
  WorkflowAnswer,
  WorkflowCommand,
  WorkflowCommandResult,
} from "@agentos/core";
import type {
  CallbackParams,
  CallbackResult,
  WorkflowDefinition,
  WorkflowEvent,
  WorkflowRunInfo,
  WorkflowSource,
} from "@agentos/protocol";
import { FakeClock } from "@agentos/testing";

import { type RunRequest, WorkflowHost } from "../../src/workflow/workflow-host.ts";
import { MemoryWorkflowStore } from "./memory-workflow-store.ts";

export type Definition = Omit<WorkflowDefinition, "version" | "name" | "swarm"> & {
  readonly swarm?: Partial<WorkflowDefinition["swarm"]>;
};
type Step = NonNullable<WorkflowDefinition["workflows"]>[number]["steps"][number];

/** One turn of an agent, as a test plays it. */
export interface AgentTurn {
  readonly request: WorkflowAgentRequest;
  readonly task: string;
  /** Which turn of this agent it is, from 1. */
  readonly turn: number;
  readonly signal: AbortSignal;
  /** A sign of life. */
  readonly activity: () => void;
  /** Resolves with the next reminder. */
  readonly nudged: () => Promise<string>;
  /** Rejects once the turn is to end. */
  readonly forever: () => Promise<never>;
}

type Answer = string | Partial<WorkflowAnswer>;

const SILENT = { exitCode: 0, signal: null, timedOut: false, stderr: "", truncated: false };
export const HOLDER = { user: "u", vmId: "vm-1", fence: 1 };

/** A workflow host whose agents, commands and functions do what a test says. */
export class WorkflowWorld {
  readonly clock = new FakeClock();
  readonly opened: WorkflowAgentRequest[] = [];
  readonly ended: string[] = [];
  readonly commands: WorkflowCommand[] = [];
  readonly nudges: string[] = [];
  readonly notices: { channel: string; text: string }[] = [];
  readonly files = new Set<string>();
  readonly lost = Promise.withResolvers<Error>();
  held = 0;
  onAgent: (turn: AgentTurn) => Promise<Answer> | Answer = ({ task }) => task;
  onCommand: (
    command: string,
    signal: AbortSignal,
  ) => Promise<Partial<WorkflowCommandResult>> | Partial<WorkflowCommandResult> = () => ({});
  onCallback: (params: CallbackParams) => Promise<CallbackResult> = () =>
    Promise.reject(new Error("no function of the client is known"));
  readonly store: MemoryWorkflowStore;
  readonly host: WorkflowHost;

  constructor(store = new MemoryWorkflowStore()) {
    this.store = store;
    this.host = new WorkflowHost({
      store,
      clock: this.clock,
      places: { hold: () => this.#hold() },
      callbacks: () => ({ call: (params) => this.onCallback(params) }),
      notices: {
        tell: async (_user, _vmId, channel, text) => void this.notices.push({ channel, text }),
      },
      log: { warn: () => undefined },
    });
    this.host.restore();
  }

  /** Another life of the sidecar, with what this one has written. */
  next(): WorkflowWorld {
    return new WorkflowWorld(this.store.copy());
  }

  start(source: WorkflowSource, more: Partial<RunRequest> = {}): WorkflowRunInfo {
    return this.host.run(HOLDER, { runId: "run", source, ...more });
  }

  /** Runs it to its end. */
  async run(source: WorkflowSource, more: Partial<RunRequest> = {}): Promise<WorkflowRunInfo> {
    const { runId } = this.start(source, more);
    return await this.end(runId);
  }

  /** Resolves once the run goes on no more by itself. */
  async end(runId = "run"): Promise<WorkflowRunInfo> {
    const record = this.host.record("u", runId);
    while (this.host.isLive(record)) await this.#look(record.run.lastSeq, runId);
    return this.host.show("u", runId);
  }

  events(runId = "run"): WorkflowEvent[] {
    return this.store.events(`u/${runId}`, { after: 0, limit: 10_000 });
  }

  /** Resolves with the first event of that type, past or to come. */
  async event(type: WorkflowEvent["type"], step?: string): Promise<WorkflowEvent> {
    for (;;) {
      const found = this.events().find(
        (event) =>
          event.type === type && (step === undefined || ("step" in event && event.step === step)),
      );
      if (found !== undefined) return found;
      // oxlint-disable-next-line no-await-in-loop -- The next event is what this waits for.
      await this.#look(this.host.record("u", "run").run.lastSeq, "run");
    }
  }

  /** What happened, without places and times. */
  story(runId = "run"): string[] {
    return this.events(runId).map((event) =>
      "step" in event ? `${event.type} ${event.step}` : event.type,
    );
  }

  async #look(after: number, runId: string): Promise<void> {
    const record = this.host.record("u", runId);
    const signal = AbortSignal.timeout(20);
    await record.read({ after, limit: 1, maxBytes: 1 }, 1_000_000, signal);
  }

  #hold() {
    this.held += 1;
    return {
      agents: { open: (request: WorkflowAgentRequest) => this.#open(request) },
      commands: {
        run: (command: WorkflowCommand, { signal }: { signal: AbortSignal }) =>
          this.#command(command, signal),
        exists: async (path: string) => this.files.has(path),
      },
      lost: this.lost.promise,
      release: () => void (this.held -= 1),
    };
  }

  async #command(command: WorkflowCommand, signal: AbortSignal): Promise<WorkflowCommandResult> {
    this.commands.push(command);
    const text = typeof command.command === "string" ? command.command : command.command.join(" ");
    return { ...SILENT, stdout: "", ...(await this.onCommand(text, signal)) };
  }

  async #open(request: WorkflowAgentRequest) {
    this.opened.push(request);
    let turn = 0;
    let reminder = Promise.withResolvers<string>();
    return {
      sessionId: request.id,
      run: async (
        task: string,
        { signal, onActivity }: { signal: AbortSignal; onActivity: () => void },
      ): Promise<WorkflowAnswer> => {
        turn += 1;
        const answer = await this.onAgent({
          request,
          task,
          turn,
          signal,
          activity: onActivity,
          nudged: () => reminder.promise,
          forever: () => aborted(signal),
        });
        const given = typeof answer === "string" ? { output: answer } : answer;
        return { output: "", echoesTask: false, exitCode: null, ...given };
      },
      nudge: async (text: string) => {
        this.nudges.push(text);
        reminder.resolve(text);
        reminder = Promise.withResolvers();
      },
      [Symbol.asyncDispose]: async () => void this.ended.push(request.id),
    };
  }
}

/** A definition with one workflow of those steps. */
export function workflowOf(
  steps: Step[],
  { swarm, ...rest }: Definition = {},
): { workflow: { definition: WorkflowDefinition } } {
  const definition: WorkflowDefinition = {
    version: "1.0",
    name: "test",
    swarm: { pattern: "dag", ...swarm },
    agents: [agent("a"), agent("b"), agent("c")],
    workflows: [{ name: "main", steps }],
    ...rest,
  };
  return { workflow: { definition } };
}

export function agent(
  name: string,
  role?: string,
): NonNullable<WorkflowDefinition["agents"]>[number] {
  return { name, runtime: "scripted", ...(role === undefined ? {} : { role }) };
}

/** A step of a command. */
export function shell(
  name: string,
  ...dependsOn: string[]
): Extract<Step, { type: "deterministic" }> {
  return { name, type: "deterministic", command: `run ${name}`, dependsOn };
}

/** Rejects once aborted. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(new Error("aborted"));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
