import { Json, JsonObject } from "@agentos/protocol";
import * as z from "zod";

import { SIDECAR_VERSION } from "../version.ts";
import { mcpBlock } from "./mcp-blocks.ts";
import type { SessionTools } from "./session-tools.ts";
import { TOOL_BOUNDS } from "./tool-bounds.ts";

const Id = z.union([z.string().max(256), z.number()]);

const Message = z.object({
  jsonrpc: z.literal("2.0"),
  id: Id.optional(),
  method: z.string().max(256).optional(),
  params: JsonObject.optional(),
});

const Initialize = z.object({ protocolVersion: z.string().max(64) });
const Call = z.object({ name: z.string().max(256), arguments: Json.optional() });
const Cancelled = z.object({ requestId: Id });

/** An error of JSON-RPC. */
const CODES = {
  parse: -32_700,
  request: -32_600,
  method: -32_601,
  params: -32_602,
  busy: -32_000,
  token: -32_001,
} as const;

type Answer = object | undefined;

/** Serves a session's tools as MCP does, on one connection. It keeps nothing but the calls that run. */
export class McpServer {
  readonly #tools: SessionTools | undefined;
  readonly #calls = new Map<string | number, AbortController>();
  readonly #end = new AbortController();

  /** Undefined: the token is none of a session's, and every request is told so. */
  constructor(tools: SessionTools | undefined) {
    this.#tools = tools;
  }

  /** Cancels what runs. */
  close(): void {
    this.#end.abort();
  }

  /** The answer to one line; undefined where there is none. Never rejects. */
  async answer(line: string): Promise<string | undefined> {
    const message = parse(line);
    if (message === undefined) return JSON.stringify(failure(null, CODES.parse, "expected JSON"));
    if (!Array.isArray(message)) return text(await this.#one(message));
    if (message.length === 0 || message.length > TOOL_BOUNDS.batch) {
      const expected = `expected a batch of 1 to ${TOOL_BOUNDS.batch}`;
      return JSON.stringify(failure(null, CODES.request, expected));
    }
    const answers = await Promise.all(message.map((each) => this.#one(each)));
    const told = answers.filter((each) => each !== undefined);
    return told.length === 0 ? undefined : JSON.stringify(told);
  }

  async #one(value: unknown): Promise<Answer> {
    const { data: message } = Message.safeParse(value);
    if (message === undefined) return failure(null, CODES.request, "expected a JSON-RPC message");
    const { id, method, params = {} } = message;
    // An answer to a question that nobody asked.
    if (method === undefined) return undefined;
    if (id === undefined) return this.#notified(method, params);
    if (this.#tools === undefined) {
      const expected = "expected the token of a session in AGENTOS_TOOLS_TOKEN";
      return failure(id, CODES.token, expected);
    }
    return await this.#request(this.#tools, id, method, params);
  }

  async #request(
    tools: SessionTools,
    id: string | number,
    method: string,
    params: JsonObject,
  ): Promise<Answer> {
    switch (method) {
      case "initialize":
        return initialized(id, params);
      case "ping":
        return success(id, {});
      case "tools/list":
        return success(id, {
          tools: tools.tools.map(({ wireName: name, info }) => ({
            name,
            description: info.description,
            inputSchema: info.inputSchema,
          })),
        });
      case "tools/call":
        return await this.#call(tools, id, params);
      default:
        return failure(id, CODES.method, `there is no method ${method}`);
    }
  }

  async #call(tools: SessionTools, id: string | number, params: JsonObject): Promise<Answer> {
    const { data: call } = Call.safeParse(params);
    if (call === undefined) return failure(id, CODES.params, "expected a tool's name");
    if (this.#calls.size >= TOOL_BOUNDS.callsAtOnce) {
      return failure(id, CODES.busy, `${TOOL_BOUNDS.callsAtOnce} calls are under way`);
    }
    if (this.#calls.has(id)) return failure(id, CODES.request, `the call ${id} is under way`);
    const cancel = new AbortController();
    this.#calls.set(id, cancel);
    try {
      const signal = AbortSignal.any([cancel.signal, this.#end.signal]);
      const { outcome, content } = await tools.call(call.name, call.arguments ?? {}, signal);
      const isError = outcome === "ok" ? {} : { isError: true };
      return success(id, { content: content.map(mcpBlock), ...isError });
    } finally {
      this.#calls.delete(id);
    }
  }

  #notified(method: string, params: JsonObject): undefined {
    if (method !== "notifications/cancelled") return;
    const { data: cancelled } = Cancelled.safeParse(params);
    if (cancelled !== undefined) this.#calls.get(cancelled.requestId)?.abort();
  }
}

/** In the version that was asked for: there is nothing here that they differ in. */
function initialized(id: string | number, params: JsonObject): object {
  const { data: asked } = Initialize.safeParse(params);
  if (asked === undefined) return failure(id, CODES.params, "expected a protocolVersion");
  return success(id, {
    protocolVersion: asked.protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: "agentos", version: SIDECAR_VERSION },
  });
}

function success(id: string | number, result: object): object {
  return { jsonrpc: "2.0", id, result };
}

function failure(id: string | number | null, code: number, message: string): object {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

function text(answer: Answer): string | undefined {
  return answer === undefined ? undefined : JSON.stringify(answer);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Told to whoever wrote it.
    return undefined;
  }
}
