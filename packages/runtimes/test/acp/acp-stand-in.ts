import { JsonObject } from "@agentos/protocol";
import type { FakeProgram, ProgramContext } from "@agentos/testing";
import * as z from "zod";

const Message = z.object({
  id: z.int().optional(),
  method: z.string().optional(),
  params: JsonObject.optional(),
  result: z.object({ outcome: JsonObject }).optional(),
});
const Prompt = z.object({
  sessionId: z.string(),
  prompt: z.array(z.object({ text: z.string().optional() })),
});

/** What a stand-in may do in one of its turns. */
interface AcpTurnContext {
  readonly sessionId: string;
  /** The prompt's texts. */
  readonly said: string;
  readonly update: (update: JsonObject) => Promise<void>;
  /** Writes what is no message. */
  readonly write: (text: string) => Promise<void>;
  /** Asks to be allowed; resolves with the answer's outcome. */
  readonly ask: (toolCall: JsonObject, options: JsonObject[]) => Promise<JsonObject>;
  /** Resolves once the turn is to end. */
  readonly cancelled: Promise<void>;
}

export interface AcpStandInOptions {
  /** Resolves with the turn's result, or throws an error of the protocol. */
  readonly turn?: (context: AcpTurnContext) => Promise<JsonObject>;
  readonly initialize?: JsonObject;
  /** Answers of other methods. */
  readonly answers?: Readonly<Record<string, (params: JsonObject) => JsonObject>>;
}

/** What a stand-in answers with an error. */
export class AcpError extends Error {
  readonly code: number;
  readonly data: JsonObject;

  constructor(code: number, message: string, data: JsonObject = {}) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** A program that speaks ACP, version 1, as agents do. `heard`: all that it was told. */
export function acpStandIn(options: AcpStandInOptions): {
  program: FakeProgram;
  heard: JsonObject[];
} {
  const heard: JsonObject[] = [];
  return { heard, program: async (context) => await new StandIn(options, heard, context).run() };
}

class StandIn {
  readonly #options: AcpStandInOptions;
  readonly #heard: JsonObject[];
  readonly #context: ProgramContext;
  readonly #asked = new Map<number, (outcome: JsonObject) => void>();
  #cancel = Promise.withResolvers<void>();
  #nextId = 100;

  constructor(options: AcpStandInOptions, heard: JsonObject[], context: ProgramContext) {
    this.#options = options;
    this.#heard = heard;
    this.#context = context;
  }

  async run(): Promise<number> {
    let rest = "";
    for await (const bytes of this.#context.stdin) {
      const lines = (rest + Buffer.from(bytes).toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(JsonObject.parse(JSON.parse(line)));
    }
    return 0;
  }

  #take(said: JsonObject): void {
    this.#heard.push(said);
    const { id = 0, method, params = {}, result } = Message.parse(said);
    if (method === "session/cancel") this.#cancel.resolve();
    else if (method !== undefined) void this.#answer(id, method, params);
    else if (result !== undefined) this.#asked.get(id)?.(result.outcome);
  }

  async #answer(id: number, method: string, params: JsonObject): Promise<void> {
    try {
      await this.#send({ id, result: await this.#result(method, params) });
    } catch (error) {
      const { code, message, data } =
        error instanceof AcpError ? error : new AcpError(-32_603, String(error));
      await this.#send({ id, error: { code, message, data } });
    }
  }

  async #result(method: string, params: JsonObject): Promise<JsonObject> {
    const { initialize, answers = {}, turn } = this.#options;
    const answer = answers[method];
    if (answer !== undefined) return answer(params);
    if (method === "initialize")
      return { protocolVersion: 1, agentCapabilities: { loadSession: true }, ...initialize };
    if (method === "session/new") return { sessionId: "agent-session-1" };
    if (method === "session/load") return {};
    if (method !== "session/prompt") throw new AcpError(-32_601, `no ${method}`);
    this.#cancel = Promise.withResolvers<void>();
    const { sessionId, prompt } = Prompt.parse(params);
    const result = await turn?.({
      sessionId,
      said: prompt.map(({ text = "" }) => text).join("|"),
      update: (update) => this.#notify(sessionId, update),
      write: (text) => this.#context.stdout(text),
      ask: (toolCall, options) => this.#ask(sessionId, toolCall, options),
      cancelled: this.#cancel.promise,
    });
    return result ?? { stopReason: "end_turn" };
  }

  async #notify(sessionId: string, update: JsonObject): Promise<void> {
    await this.#send({ method: "session/update", params: { sessionId, update } });
  }

  async #ask(sessionId: string, toolCall: JsonObject, options: JsonObject[]): Promise<JsonObject> {
    const id = this.#nextId++;
    const answer = Promise.withResolvers<JsonObject>();
    this.#asked.set(id, answer.resolve);
    const params = { sessionId, toolCall, options };
    await this.#send({ id, method: "session/request_permission", params });
    return await answer.promise;
  }

  async #send(message: JsonObject): Promise<void> {
    await this.#context.stdout(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }
}
