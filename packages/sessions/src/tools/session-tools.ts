import {
  AgentOsError,
  DEFAULTS,
  isAgentOsError,
  type PendingRequest,
  type Question,
  type RequestAnswer,
  type ToolCall,
  type ToolInfo,
  type ToolResult,
} from "@agentos/protocol";
import type { ToolVerdict } from "@agentos/core";
import { randomUUID } from "node:crypto";

import { requestDigest } from "../policies/request-digest.ts";
import { type GatedTool, ToolGate } from "../policies/tool-gate.ts";
import type { ToolDesk, ToolDeskRequest, ToolTurn } from "../tool-desk.ts";
import { cutContent } from "./cut-content.ts";
import { failedOutput, type Tool, type ToolOutput } from "./tool.ts";
import { ToolRegistry } from "./tool-registry.ts";

/** The tools of one session behind one gate, whoever calls them. */
export class SessionTools implements ToolDesk {
  readonly #context: ToolDeskRequest;
  readonly #registry: ToolRegistry;
  readonly #gate: ToolGate;
  readonly #background: AsyncDisposableStack;

  /** `background`: what runs beside the calls, ended with the session. Throws `INVALID_ARGUMENT` for a name used twice. */
  constructor(context: ToolDeskRequest, tools: readonly Tool[], background: AsyncDisposableStack) {
    this.#context = context;
    this.#registry = new ToolRegistry(tools);
    this.#gate = new ToolGate(context);
    this.#background = background;
  }

  get tools(): readonly ToolInfo[] {
    return this.#registry.infos;
  }

  async call(call: ToolCall, turn: ToolTurn): Promise<ToolResult> {
    const startedAt = this.#context.clock.now();
    const tool = this.#registry.find(call);
    const output = await this.#outcome(tool, call, turn).catch((error: unknown) => {
      throw turn.signal.aborted ? cancelled(call.name) : error;
    });
    const cut = cutContent(output.content, DEFAULTS.toolResultBytes);
    const result: ToolResult = {
      callId: call.callId,
      name: call.name,
      outcome: output.outcome,
      content: cut.content,
      ...(output.code === undefined ? {} : { code: output.code }),
      truncated: cut.truncated,
      ...(cut.truncated ? { totalBytes: cut.totalBytes } : {}),
      durationMs: this.#context.clock.now() - startedAt,
    };
    return await this.ended(call, result, turn);
  }

  async authorize(call: ToolCall, turn: ToolTurn): Promise<ToolVerdict> {
    const verdict = await this.#gate.admit(agentTool(call), call, turn);
    if (verdict.allow) return verdict;
    return { allow: false, message: verdict.message, input: call.input };
  }

  async ended(call: ToolCall, result: ToolResult, turn: ToolTurn): Promise<ToolResult> {
    const { hooks } = this.#context;
    const replaced =
      result.outcome === "failed" ? await this.#explained(call, result, turn) : result;
    await hooks.observe("post_tool_call", { call, result: replaced }, turn.turnId);
    return replaced;
  }

  async ask(questions: readonly Question[], turn: ToolTurn): Promise<RequestAnswer | undefined> {
    const { hooks, requests, spec } = this.#context;
    const answer = await hooks.first("interaction", { questions }, turn.turnId, (said) =>
      said.answer?.kind === "question" ? said.answer : undefined,
    );
    if (answer !== undefined) return answer;
    if (spec.asks !== "wait") return undefined;
    const request: PendingRequest = {
      kind: "question",
      requestId: `request-${randomUUID()}`,
      turnId: turn.turnId,
      askedAt: Date.now(),
      questions: [...questions],
      digest: requestDigest(this.#context.sessionId, turn.fence, questions),
    };
    return await requests.open(request, turn.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#background.disposeAsync();
  }

  async #outcome(
    tool: Tool | undefined,
    call: ToolCall,
    turn: ToolTurn,
  ): Promise<ToolOutput & { outcome: ToolResult["outcome"] }> {
    if (tool === undefined) {
      return { ...failedOutput(`Unknown tool: '${call.name}'`), outcome: "failed" };
    }
    const verdict = await this.#gate.admit(tool, call, turn);
    if (!verdict.allow) {
      const { message, outcome, code } = verdict;
      return { ...failedOutput(message, code), outcome };
    }
    try {
      const output = await tool.run({ ...call, input: verdict.input }, turn);
      return { ...output, outcome: output.isError === true ? "failed" : "ok" };
    } catch (error) {
      turn.signal.throwIfAborted();
      return this.#failed(error, call);
    }
  }

  /** A hook may put another text in place of an error's; it stays an error. */
  async #explained(call: ToolCall, result: ToolResult, turn: ToolTurn): Promise<ToolResult> {
    const data = { call, result };
    const text = await this.#context.hooks.first("tool_error", data, turn.turnId, ({ message }) =>
      message === undefined || message === "" ? undefined : message,
    );
    return text === undefined ? result : { ...result, content: [{ type: "text", text }] };
  }

  #failed(error: unknown, call: ToolCall): ToolOutput & { outcome: ToolResult["outcome"] } {
    if (isAgentOsError(error)) {
      const { message, code } = error;
      // The network said no once the tool ran: where a name or a redirect led.
      const outcome = code === "NETWORK_REFUSED" ? "denied" : "failed";
      return { ...failedOutput(message, code), outcome };
    }
    this.#context.notice(`the tool ${call.name} failed inside`);
    return { ...failedOutput("the tool failed inside"), outcome: "failed" };
  }
}

/** A tool that the agent runs by itself: its input is its own, its file is known where it told it. */
function agentTool(call: ToolCall): GatedTool {
  const { name, server, path } = call;
  return {
    info: { name, crossesBorder: false, ...(server === undefined ? {} : { server }) },
    parse: (input) => input,
    paths: () => (path === undefined ? [] : [{ path, writes: true }]),
  };
}

function cancelled(tool: string): AgentOsError {
  return new AgentOsError("CANCELLED", `the tool ${tool} was cancelled`, { operation: tool });
}
