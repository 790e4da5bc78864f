import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  AgentOsError,
  DEFAULTS,
  isAgentOsError,
  type JsonObject,
  loadPackage,
  type McpServer as McpServerSpec,
} from "@agentos/protocol";

import type { ToolDeskRequest } from "../tool-desk.ts";
import type { Tool } from "../tools/tool.ts";
import { assertToolChoice, type ListedTool, mcpTools } from "./mcp-tools.ts";
import { VmTransport } from "./vm-transport.ts";

const PACKAGE = "@modelcontextprotocol/sdk";
const MAJOR = 1;

/** Tools that one server may bring. */
const MAX_TOOLS = 512;

/** One MCP server of a session, with its tools. Disposing ends it. */
export class McpServer implements AsyncDisposable {
  readonly tools: readonly Tool[];
  readonly #name: string;
  readonly #spec: McpServerSpec;
  readonly #client: Client;
  readonly #transport: Transport;

  private constructor(
    name: string,
    spec: McpServerSpec,
    { client, transport }: { client: Client; transport: Transport },
    listed: readonly ListedTool[],
  ) {
    this.#name = name;
    this.#spec = spec;
    this.#client = client;
    this.#transport = transport;
    this.tools = mcpTools(name, spec, listed, (...call) => this.#call(...call));
  }

  /**
   * Starts a server, or reaches it, and asks for its tools. Rejects with an error that names it, within `startMs`:
   * `DEADLINE_EXCEEDED`, `AGENT_EXITED`, `CONNECTION_LOST`, `INVALID_ARGUMENT`, `PACKAGE_MISSING`.
   */
  static async open(
    context: ToolDeskRequest,
    name: string,
    spec: McpServerSpec,
    signal: AbortSignal,
  ): Promise<McpServer> {
    assertToolChoice(name, spec);
    const { Client } = await loadPackage(
      PACKAGE,
      MAJOR,
      () => import("@modelcontextprotocol/sdk/client/index.js"),
    );
    const transport =
      "url" in spec ? await httpTransport(spec) : await vmTransport(context, name, spec);
    const client = new Client({ name: "agentos", version: "0.0.0" });
    const startMs = spec.startMs ?? DEFAULTS.mcpStartMs;
    const deadline = new AbortController();
    const stop = context.clock.after(startMs, () => deadline.abort(tooSlow(name, startMs)));
    const either = AbortSignal.any([signal, deadline.signal]);
    try {
      const listed = await untilAborted(either, started(client, transport, startMs, either));
      return new McpServer(name, spec, { client, transport }, listed);
    } catch (error) {
      const failure = either.aborted ? either.reason : startFailure(name, transport, error);
      await transport.close();
      throw failure;
    } finally {
      stop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    // The client's close does nothing where the server had gone before.
    await this.#transport.close();
  }

  async #call(tool: string, input: JsonObject, signal: AbortSignal): Promise<unknown> {
    const timeout = this.#spec.timeoutMs ?? DEFAULTS.mcpToolMs;
    try {
      return await this.#client.callTool({ name: tool, arguments: input }, undefined, {
        timeout,
        signal,
      });
    } catch (error) {
      if (signal.aborted) throw error;
      const why = goneReason(this.#transport) ?? error;
      if (isAgentOsError(why)) throw why;
      throw new Error(`the MCP server ${this.#name}: ${messageOf(why)}`, { cause: error });
    }
  }
}

async function started(
  client: Client,
  transport: Transport,
  timeout: number,
  signal: AbortSignal,
): Promise<readonly ListedTool[]> {
  await client.connect(transport, { timeout, signal });
  const listed: ListedTool[] = [];
  let cursor: string | undefined;
  do {
    const params = cursor === undefined ? {} : { cursor };
    // oxlint-disable-next-line no-await-in-loop -- Each page says where the next one is.
    const page = await client.listTools(params, { timeout, signal });
    listed.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined && listed.length < MAX_TOOLS);
  return listed.slice(0, MAX_TOOLS);
}

async function vmTransport(
  { vm, clock, cwd }: ToolDeskRequest,
  name: string,
  { command, args = [], env = {} }: Extract<McpServerSpec, { command: string }>,
): Promise<VmTransport> {
  const { ReadBuffer, serializeMessage } = await loadPackage(
    PACKAGE,
    MAJOR,
    () => import("@modelcontextprotocol/sdk/shared/stdio.js"),
  );
  const messages = new ReadBuffer();
  const argv = [command, ...args];
  return new VmTransport({
    name,
    vm,
    clock,
    argv,
    cwd,
    env,
    messages,
    serialize: serializeMessage,
  });
}

async function httpTransport({
  url,
  headers = {},
}: Extract<McpServerSpec, { url: string }>): Promise<Transport> {
  const { StreamableHTTPClientTransport } = await loadPackage(
    PACKAGE,
    MAJOR,
    () => import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
  );
  return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
}

async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  // Whoever comes second is not waited for.
  work.catch(() => undefined);
  promise.catch(() => undefined);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function startFailure(name: string, transport: Transport, error: unknown): AgentOsError {
  const gone = goneReason(transport);
  if (gone !== undefined) return gone;
  if (isAgentOsError(error)) {
    // What can't be started says why; here it says for whom.
    return new AgentOsError(error.code, `the MCP server ${name}: ${error.message}`, error.details, {
      cause: error,
    });
  }
  const reason = `the MCP server ${name} did not start: ${messageOf(error)}`;
  return new AgentOsError("CONNECTION_LOST", reason, { reason }, { cause: error });
}

function goneReason(transport: Transport): AgentOsError | undefined {
  return transport instanceof VmTransport ? transport.failure : undefined;
}

function tooSlow(name: string, deadlineMs: number): AgentOsError<"DEADLINE_EXCEEDED"> {
  const operation = `starting the MCP server ${name}`;
  const message = `${operation}: no answer within ${deadlineMs} ms`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, { operation, deadlineMs });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
