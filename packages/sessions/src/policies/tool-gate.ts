import { randomUUID } from "node:crypto";

import {
  AgentOsError,
  DEFAULTS,
  type ErrorCode,
  type Json,
  type JsonObject,
  type PendingRequest,
  type Policy,
  type RequestAnswer,
  type ToolCall,
  type ToolInfo,
} from "@agentos/protocol";

import type { ToolDeskRequest, ToolTurn } from "../tool-desk.ts";
import type { TouchedPath } from "../tools/tool.ts";
import { isContained } from "./contained-path.ts";
import { judge, type Judgement, otherwise } from "./policy-judge.ts";
import { requestDigest } from "./request-digest.ts";

/** Whether a call may be made, and with which input. */
export type GateVerdict =
  | { readonly allow: true; readonly input: Json }
  | {
      readonly allow: false;
      readonly outcome: "denied" | "failed";
      readonly message: string;
      readonly code?: ErrorCode;
    };

/** What the gate knows of the tool that is called. */
export interface GatedTool {
  readonly info: Pick<ToolInfo, "name" | "server" | "crossesBorder">;
  parse(input: Json): Json;
  paths(input: Json): readonly TouchedPath[];
  assertPossible?(input: Json): void;
}

const INSIDE: Policy = { rules: [], otherwise: "border" };

/** Everything that stands before a tool: hooks, then workspaces, then the policy, then whoever is asked. It fails closed. */
export class ToolGate {
  readonly #context: ToolDeskRequest;
  readonly #policy: Policy;
  /** Tools that the user allowed for the rest of the session. */
  readonly #remembered = new Set<string>();

  constructor(context: ToolDeskRequest) {
    this.#context = context;
    this.#policy = context.spec.policy ?? INSIDE;
  }

  /** Rejects only with `CANCELLED`. */
  async admit(tool: GatedTool, call: ToolCall, turn: ToolTurn): Promise<GateVerdict> {
    const hooked = await this.#hooks(call, turn);
    if (!hooked.allow) return hooked;
    const checked = await this.#walls(tool, hooked.input);
    if (!checked.allow) return checked;
    const seen = { ...call, input: checked.input };
    const judgement = await this.#judge(tool, seen, turn);
    turn.signal.throwIfAborted();
    if (judgement.decision === "allow") return checked;
    if (judgement.decision === "deny") return denied(judgement.reason);
    return await this.#ask(tool, seen, judgement, turn);
  }

  /** What no rule and no answer can lift: the input's form, the workspaces, and what the VM itself refuses. */
  async #walls(tool: GatedTool, input: Json): Promise<GateVerdict> {
    const parsed = parseInput(tool, input);
    if (!parsed.allow) return parsed;
    const outside = await this.#outside(tool.paths(parsed.input));
    if (outside !== undefined) return denied(`${outside} is outside of the workspaces`);
    return possible(tool, parsed.input);
  }

  async #judge(tool: GatedTool, call: ToolCall, turn: ToolTurn): Promise<Judgement> {
    const predicate = (name: string, about: ToolCall): Promise<boolean> =>
      this.#predicate(name, about, turn);
    const judged = await judge(this.#policy.rules, call, predicate);
    return judged ?? otherwise(this.#policy, await this.#crossesBorder(tool, call.input));
  }

  async #hooks(call: ToolCall, turn: ToolTurn): Promise<GateVerdict> {
    const { hooks } = this.#context;
    const answer = await hooks.decide("pre_tool_call", call, turn.turnId, turn.signal);
    if (answer.allow === false) return denied(answer.message ?? "a hook denied it");
    if (answer.input === undefined) return { allow: true, input: call.input };
    return { allow: true, input: merged(call.input, answer.input) };
  }

  async #predicate(callback: string, call: ToolCall, turn: ToolTurn): Promise<boolean> {
    const answer = await this.#context.callbacks.call(
      {
        sessionId: this.#context.sessionId,
        turnId: turn.turnId,
        callback,
        callId: `${callback}-${call.callId}`.slice(-128),
        ask: { kind: "predicate", call },
      },
      { deadlineMs: DEFAULTS.hookMs, signal: turn.signal },
    );
    return answer.kind === "predicate" && answer.matches;
  }

  async #outside(paths: readonly TouchedPath[]): Promise<string | undefined> {
    const roots = this.#policy.workspaceOnly ?? this.#context.spec.workspaces ?? [];
    if (roots.length === 0) return undefined;
    const { files } = this.#context.vm.handle();
    for (const { path } of paths) {
      if (!(await isContained(files, path, roots))) return path;
    }
    return undefined;
  }

  async #crossesBorder(tool: GatedTool, input: Json): Promise<boolean> {
    if (tool.info.crossesBorder) return true;
    const mounts = this.#context.vm.hostMounts.filter(({ readOnly }) => !readOnly);
    if (mounts.length === 0) return false;
    const targets = mounts.map(({ target }) => target);
    const { files } = this.#context.vm.handle();
    for (const { path, writes } of tool.paths(input)) {
      if (writes && (await isContained(files, path, targets))) return true;
    }
    return false;
  }

  async #ask(
    tool: GatedTool,
    call: ToolCall,
    judgement: Judgement,
    turn: ToolTurn,
  ): Promise<GateVerdict> {
    if (judgement.handler !== undefined) return await this.#handler(judgement.handler, call, turn);
    const key = `${call.server ?? ""}/${call.name}`;
    if (this.#remembered.has(key)) return { allow: true, input: call.input };
    if (this.#context.spec.asks !== "wait") {
      return denied(`${judgement.reason}, and nobody is there to be asked`);
    }
    const answer = await this.#context.requests.open(
      this.#request(call, judgement, turn),
      turn.signal,
    );
    const verdict = await this.#answered(tool, call, answer);
    if (verdict.allow && answer.kind === "permission" && answer.remember === "session") {
      this.#remembered.add(key);
    }
    return verdict;
  }

  async #handler(callback: string, call: ToolCall, turn: ToolTurn): Promise<GateVerdict> {
    try {
      const answer = await this.#context.callbacks.call(
        {
          sessionId: this.#context.sessionId,
          turnId: turn.turnId,
          callback,
          callId: `${callback}-${call.callId}`.slice(-128),
          ask: { kind: "handler", call },
        },
        { deadlineMs: DEFAULTS.hookMs, signal: turn.signal },
      );
      if (answer.kind === "handler" && answer.allow) return { allow: true, input: call.input };
      const message = answer.kind === "handler" ? answer.message : undefined;
      return denied(message ?? "it was denied");
    } catch {
      turn.signal.throwIfAborted();
      return denied(`the handler ${callback} failed`);
    }
  }

  #request(call: ToolCall, { reason }: Judgement, turn: ToolTurn): PendingRequest {
    return {
      kind: "permission",
      requestId: `request-${randomUUID()}`,
      turnId: turn.turnId,
      askedAt: Date.now(),
      call,
      digest: requestDigest(this.#context.sessionId, turn.fence, call),
      reason,
    };
  }

  /** An answer that changes the input is for the changed one: it goes through the walls again. */
  async #answered(tool: GatedTool, call: ToolCall, answer: RequestAnswer): Promise<GateVerdict> {
    if (answer.kind !== "permission") return denied("the answer was to a question");
    if (answer.decision === "deny") return denied(answer.message ?? "the user denied it");
    if (answer.input === undefined) return { allow: true, input: call.input };
    return await this.#walls(tool, merged(call.input, answer.input));
  }
}

function merged(input: Json, changes: JsonObject): Json {
  return typeof input === "object" && input !== null && !Array.isArray(input)
    ? { ...input, ...changes }
    : changes;
}

function parseInput(tool: GatedTool, input: Json): GateVerdict {
  try {
    return { allow: true, input: tool.parse(input) };
  } catch (error) {
    if (!(error instanceof AgentOsError)) throw error;
    const { code, message } = error;
    return { allow: false, outcome: "failed", message, code };
  }
}

function possible(tool: GatedTool, input: Json): GateVerdict {
  try {
    tool.assertPossible?.(input);
    return { allow: true, input };
  } catch (error) {
    if (!(error instanceof AgentOsError)) throw error;
    const { code, message } = error;
    const outcome = code === "NETWORK_REFUSED" ? "denied" : "failed";
    return { allow: false, outcome, message, code };
  }
}

function denied(message: string): GateVerdict {
  return { allow: false, outcome: "denied", message };
}
