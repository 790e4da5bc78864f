import type { ModelRequest } from "../conversation/model-request.ts";
import type { Block, CalledTool, Call, Ending, WireFormat } from "../formats/wire-format.ts";
import type { ErrorKind } from "../script/http-fault.ts";
import { isNamed } from "../script/match.ts";
import type { ReplyOptions, StopReason } from "../script/reply-options.ts";
import type { ReplyPart, ToolCallPart } from "../script/reply-part.ts";
import { estimateTokens, type Usage } from "../script/usage.ts";
import type { BodyWriter } from "./body-writer.ts";
import type { Exchange } from "./exchange.ts";
import { HttpSink } from "./http-sink.ts";
import { ReplyPlayer } from "./play-reply.ts";

/** All that it takes to send one reply. */
export interface ReplyContext {
  readonly exchange: Exchange;
  readonly writer: BodyWriter;
  readonly format: WireFormat;
  readonly call: Call;
  readonly request: ModelRequest;
  readonly n: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly paceMs: number;
  readonly nextCallId: () => string;
  readonly sendError: (kind: ErrorKind, message: string) => Promise<void>;
}

/** Sends the reply of a script to one request. */
export async function sendReply(
  context: ReplyContext,
  parts: readonly ReplyPart[],
  options: ReplyOptions,
): Promise<void> {
  const { exchange, writer, format, call, request, n, headers, paceMs, sendError } = context;
  const read = inputUsage(request, options.usage);
  const sink = new HttpSink({
    exchange,
    writer,
    encoder: format.encoder({ request, n, createdAt: new Date(), usage: read }),
    framing: format.framing(call),
    options,
    headers,
    stream: request.stream,
    paceMs,
    resolveTool: (part) => resolveTool(part, context),
    ending: (blocks, stop) => endingOf(blocks, stop, read, options.usage),
    sendError,
  });
  await options.holdHeaders?.through(exchange.closed);
  if (exchange.closed.aborted) return;
  await sink.start();
  await new ReplyPlayer(sink, options).play(parts);
}

function inputUsage(request: ModelRequest, given: Partial<Usage> = {}): Usage {
  const { cacheReadTokens = 0, cacheWriteTokens = 0 } = given;
  const inputTokens = given.inputTokens ?? estimateTokens(JSON.stringify(request.body).length);
  return { inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens: 0, reasoningTokens: 0 };
}

function endingOf(
  blocks: readonly Block[],
  stop: StopReason,
  read: Usage,
  given: Partial<Usage> = {},
): Ending {
  const thoughts = blocks.filter(({ type }) => type === "thinking");
  const reasoningTokens = given.reasoningTokens ?? tokensOf(thoughts);
  const outputTokens = given.outputTokens ?? Math.max(tokensOf(blocks), reasoningTokens);
  return { stop, usage: { ...read, outputTokens, reasoningTokens } };
}

function tokensOf(blocks: readonly Block[]): number {
  return estimateTokens(blocks.reduce((sum, { content }) => sum + content.length, 0));
}

function resolveTool({ name, id }: ToolCallPart, context: ReplyContext): CalledTool {
  const { tools } = context.request;
  const tool =
    tools.find((each) => each.name === name) ?? tools.find((each) => isNamed(each.name, name));
  return {
    id: id ?? context.nextCallId(),
    name: tool?.name ?? name,
    namespace: tool?.namespace,
    freeForm: tool?.freeForm ?? false,
  };
}
