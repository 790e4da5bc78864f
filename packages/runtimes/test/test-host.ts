import type {
  AgentEndpoint,
  AgentTrace,
  ModelApi,
  RuntimeEvent,
  RuntimeHost,
  RuntimeState,
  SessionVm,
  ToolDoor,
  ToolVerdict,
} from "@agentos/core";
import {
  AgentOsError,
  type ContentPart,
  type Json,
  type ToolCall,
  type ToolInfo,
  type ToolResult,
  type Usage,
} from "@agentos/protocol";
import { FakeDriver, type FakeProgram, fakeSessionVm, type FakeVm } from "@agentos/testing";

/** What a test's tool does with a call. It throws to fail it. */
type TestTool = (
  input: Json,
  signal: AbortSignal,
) => Promise<string | ContentPart[]> | string | ContentPart[];

export interface TestHostOptions {
  readonly tools?: Readonly<Record<string, TestTool>>;
  /** Entries of an earlier life. */
  readonly state?: readonly Json[];
  /** What its way to a model speaks. Undefined: there is none. */
  readonly api?: ModelApi;
  /** Whether the agent may run a tool by itself. */
  readonly authorize?: (call: ToolCall, signal: AbortSignal) => Promise<ToolVerdict>;
  /** Programs of its VM. */
  readonly programs?: Readonly<Record<string, FakeProgram>>;
  /** Model calls after which there is no room. */
  readonly maxCalls?: number;
}

/** The engine as a runtime sees it, played by a test: it keeps all that it is told. */
export class TestHost implements RuntimeHost {
  readonly vm: SessionVm;
  readonly fakeVm: FakeVm;
  readonly events: RuntimeEvent[] = [];
  readonly calls: ToolCall[] = [];
  readonly used: { usage: Usage; hasToolCalls: boolean }[] = [];
  readonly sessionIds: string[] = [];
  /** What another life goes on from. */
  trace: AgentTrace | undefined;
  readonly openCalls: readonly ToolCall[] = [];
  /** Of tools that the agent ran by itself. */
  readonly results: ToolResult[] = [];
  /** What the gateway saw of the last model call. */
  failure: AgentOsError | undefined;
  readonly #options: TestHostOptions;
  #entries: Json[];

  private constructor(vm: FakeVm, options: TestHostOptions) {
    this.fakeVm = vm;
    this.vm = fakeSessionVm(vm);
    this.#options = options;
    this.#entries = [...(options.state ?? [])];
  }

  static async start(options: TestHostOptions = {}): Promise<TestHost> {
    const driver = new FakeDriver({ programs: options.programs ?? {} });
    const parts = { image: "host", mounts: [], limits: {}, requiredLimits: [] };
    const network = { egress: "none" as const };
    const request = { vmId: "vm-1", ...parts, network, security: "standard" as const };
    await driver.create(request, { signal: new AbortController().signal });
    return new TestHost(driver.vm("vm-1"), options);
  }

  /** What is durable now. */
  get entries(): readonly Json[] {
    return this.#entries;
  }

  get tools(): ToolInfo[] {
    return Object.keys(this.#options.tools ?? {}).map((name) => toolInfo(name));
  }

  readonly state: RuntimeState = {
    load: () => this.#entries,
    append: (entries) => void this.#entries.push(...entries),
    replace: (entries) => void (this.#entries = [...entries]),
  };

  /** All text, or all thoughts, that were told. */
  told(type: "text" | "thought"): string {
    return this.events.map((event) => (event.type === type ? event.delta : "")).join("");
  }

  of<T extends RuntimeEvent["type"]>(type: T): Extract<RuntimeEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<RuntimeEvent, { type: T }> => {
      return event.type === type;
    });
  }

  emit(event: RuntimeEvent): void {
    this.events.push(event);
  }

  async callTool(call: ToolCall, signal: AbortSignal): Promise<ToolResult> {
    this.calls.push(call);
    const tool = this.#options.tools?.[call.name];
    if (tool === undefined) return resultOf(call, "failed", `Unknown tool: '${call.name}'`);
    try {
      return resultOf(call, "ok", await tool(call.input, signal));
    } catch (error) {
      if (signal.aborted) throw new AgentOsError("CANCELLED", "cancelled", { operation: "tool" });
      return resultOf(call, "failed", error instanceof Error ? error.message : String(error));
    }
  }

  async authorizeTool(call: ToolCall, signal: AbortSignal): Promise<ToolVerdict> {
    const { authorize } = this.#options;
    if (authorize === undefined) throw new Error("this agent runs no tool by itself");
    this.calls.push(call);
    return await authorize(call, signal);
  }

  toolEnded(result: ToolResult): void {
    this.results.push(result);
  }

  async ask(): Promise<undefined> {
    return undefined;
  }

  modelCalled(used: { usage: Usage; hasToolCalls: boolean }): void {
    this.used.push(used);
    const { maxCalls = Infinity } = this.#options;
    if (this.used.length < maxCalls || !used.hasToolCalls) return;
    const details = { budget: "turns", limit: maxCalls, used: this.used.length };
    throw new AgentOsError("BUDGET_EXHAUSTED", "the budget is used up", details);
  }

  recordSession(agentSessionId: string): void {
    if (!this.sessionIds.includes(agentSessionId)) this.sessionIds.push(agentSessionId);
  }

  together(work: () => void): void {
    work();
  }

  keepTrace(trace: AgentTrace, kept: () => void): void {
    this.trace = trace;
    setImmediate(kept);
  }

  async endpoint(): Promise<AgentEndpoint> {
    const { api } = this.#options;
    if (api === undefined) throw new Error("this test's host has no gateway");
    const failure = (): AgentOsError | undefined => this.failure;
    return {
      api,
      baseUrl: "http://127.0.0.1:1",
      token: "token",
      get failure() {
        return failure();
      },
      rateLimits: [],
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async toolDoor(): Promise<ToolDoor> {
    return {
      mcp: { command: "agentos-tool", args: ["mcp"] },
      env: { AGENTOS_TEST_DOOR: "open" },
      command: "agentos-tool",
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
}

export function toolInfo(name: string, more: Partial<ToolInfo> = {}): ToolInfo {
  return {
    name,
    description: `the tool ${name}`,
    inputSchema: { type: "object", properties: {}, additionalProperties: true },
    source: "builtin",
    crossesBorder: false,
    ...more,
  };
}

function resultOf(
  { callId, name }: ToolCall,
  outcome: ToolResult["outcome"],
  content: string | ContentPart[],
): ToolResult {
  const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : content;
  return { callId, name, outcome, content: parts, truncated: false, durationMs: 0 };
}
