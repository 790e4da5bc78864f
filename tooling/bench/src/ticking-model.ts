import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { setInterval as ticks } from "node:timers/promises";

/** Between two words: as quick as a quick model. */
const EVERY_MS = 10;

/**
 * A model of Chat Completions whose every word is the time at which it was sent, in ns of the machine's clock. The key
 * says how many words there are to an answer; with `tool-` before it a call of a tool follows, and so on without end.
 */
async function serve(): Promise<void> {
  const server = createServer((request, response) => {
    const [, tool, words = 0] = /(tool-)?(\d+)/.exec(request.headers["authorization"] ?? "") ?? [];
    request.resume();
    void once(request, "end").then(() => reply(response, Number(words), tool !== undefined));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  process.stdout.write(`http://127.0.0.1:${address.port}/v1\n`);
  process.stdin.resume().once("end", () => process.exit());
}

async function reply(response: ServerResponse, words: number, isTool: boolean): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let sent = 0;
  for await (const _ of ticks(EVERY_MS)) {
    if (response.destroyed) return;
    if (sent === words) break;
    sent += 1;
    write(response, { delta: { content: `${process.hrtime.bigint()} ` }, finish_reason: null });
  }
  if (isTool) write(response, { delta: { tool_calls: [listing()] }, finish_reason: null });
  write(response, { delta: {}, finish_reason: isTool ? "tool_calls" : "stop" });
  response.end("data: [DONE]\n\n");
}

function listing(): object {
  const call = { name: "list_directory", arguments: '{"path":"/workspace"}' };
  return { index: 0, id: randomUUID(), type: "function", function: call };
}

function write(response: ServerResponse, choice: object): void {
  const chunk = {
    id: "c-1",
    object: "chat.completion.chunk",
    created: 0,
    model: "ticking",
    choices: [{ index: 0, ...choice }],
  };
  response.write(`data: ${JSON.stringify(chunk)}\n\n`);
}

await serve();
