import type { IncomingMessage, ServerResponse } from "node:http";

import { ZodError, prettifyError } from "zod";

import type { Call } from "../formats/wire-format.ts";
import type { JournalEntry } from "../journal/journal-entry.ts";
import type { Journal } from "../journal/journal.ts";
import { splitCredentials } from "../journal/split-credentials.ts";
import type { ErrorKind, HttpFault } from "../script/http-fault.ts";
import type { Script } from "../script/rule.ts";
import { ScriptRun } from "../script/script-run.ts";
import { BodyWriter } from "./body-writer.ts";
import { Exchange } from "./exchange.ts";
import { sendReply } from "./model-answer.ts";
import { parseJson } from "./parse-json.ts";
import { MAX_REQUEST_BYTES, readBody } from "./read-body.ts";
import { routeOf, type Route } from "./route.ts";
import { sendJson } from "./send-json.ts";
import { sideAnswer } from "./side-answer.ts";

/** How the server answers, besides its script. */
export interface HandlerOptions {
  readonly script: Script;
  /** The keys that are taken; any, and none, by default. */
  readonly keys?: readonly string[] | undefined;
  /** What the lists of models name. */
  readonly models?: readonly string[] | undefined;
  /** Milliseconds between the deltas of a stream, for a person to watch; 0 by default. */
  readonly paceMs?: number | undefined;
}

/** A request on its way through. */
interface Visit {
  readonly exchange: Exchange;
  readonly route: Route;
  readonly call: Call;
  readonly text: string;
  readonly writer: BodyWriter;
  readonly note: ReturnType<Journal["add"]>;
  readonly n: number;
}

/** Answers requests by a script, and writes them into the journal. */
export class RequestHandler {
  readonly #options: HandlerOptions;
  readonly #journal: Journal;
  readonly #run: ScriptRun;
  #requests = 0;
  #calls = 0;

  constructor(options: HandlerOptions, journal: Journal) {
    this.#options = options;
    this.#journal = journal;
    this.#run = new ScriptRun(options.script);
  }

  /** Resolves when the request has ended, however. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = new Exchange(request, response);
    let text: string | undefined;
    try {
      text = await readBody(request);
    } catch {
      // The client went away before it had asked: there is no request.
      return;
    }
    const { visit, hasKey } = this.#arrive(exchange, text ?? "");
    try {
      if (text === undefined) await this.#refuse(visit, "too_large", tooLarge());
      else if (hasKey) await this.#answer(visit);
      else await this.#refuse(visit, "authentication", "invalid key");
      await exchange.end();
    } catch (error) {
      await this.#fail(visit, error);
    }
    visit.note({ outcome: exchange.outcome, endedAt: new Date() });
  }

  #arrive(exchange: Exchange, text: string): { visit: Visit; hasKey: boolean } {
    const { request, response, closed } = exchange;
    const { method = "GET", url = "/", headers: all } = request;
    const { pathname: path, searchParams: search } = new URL(url, "http://localhost");
    const { headers, query, credentials } = splitCredentials(all, search);
    const body = parseJson(text);
    const note = this.#journal.add(
      arrival({ method, path, query, headers, credentials, text, body }),
    );
    this.#requests += 1;
    const writer = new BodyWriter(response, {
      closed,
      sent: (bytesSent) => note({ bytesSent, status: response.statusCode }),
    });
    const route = routeOf(method, path);
    const call = { path, query: search, body };
    const visit = { exchange, route, call, text, writer, note, n: this.#requests };
    return { visit, hasKey: this.#isKnown(Object.values(credentials)) };
  }

  #isKnown(given: readonly string[]): boolean {
    const { keys } = this.#options;
    if (keys === undefined) return true;
    return given.some((value) => keys.includes(value.replace(/^Bearer /i, "")));
  }

  async #answer(visit: Visit): Promise<void> {
    const { route, call, text, exchange, writer } = visit;
    if (route.to === "model") return await this.#answerAsModel(visit);
    const asked = { path: call.path, text, body: call.body };
    const body = sideAnswer(route, asked, this.#options.models ?? ["scripted"]);
    if (body === undefined) {
      const { method } = exchange.request;
      return await this.#refuse(visit, "not_found", `nothing answers ${method} ${call.path}`);
    }
    await sendJson(exchange, writer, { status: 200, headers: headersOf(visit), body });
  }

  async #answerAsModel(visit: Visit): Promise<void> {
    const { exchange, route, call, n, note } = visit;
    if (call.body === undefined) {
      return await this.#refuse(visit, "invalid_request", "the body is not JSON");
    }
    const request = route.format.read(call);
    note({ request });
    const found = this.#run.answer(request);
    if (found === undefined) {
      const said = JSON.stringify(request.lastUserText.slice(0, 200));
      const problem = `no rule of the script matches: ${said}, step ${request.step}`;
      return await this.#refuse(visit, "invalid_request", problem);
    }
    note({ rule: found.rule });
    const { answer } = found;
    if (answer.type === "fault") return await this.#play(visit, answer.fault);
    const { parts, options } = answer;
    const writer = visit.writer.inPieces(options.inBytes);
    const headers = headersOf(visit);
    const paceMs = this.#options.paceMs ?? 0;
    const sendError = async (kind: ErrorKind, message: string): Promise<void> =>
      await this.#sendError(visit, kind, message);
    const nextCallId = (): string => this.#nextCallId(visit);
    const context = { exchange, writer, call, request, n, headers, paceMs, nextCallId, sendError };
    await sendReply({ ...context, format: route.format }, parts, options);
  }

  async #play(visit: Visit, fault: HttpFault): Promise<void> {
    const { exchange, writer } = visit;
    switch (fault.type) {
      case "hang":
        return await exchange.untilClosed();
      case "reset":
        return exchange.reset();
      case "body":
        exchange.response.writeHead(fault.status, { "content-type": fault.contentType });
        return await writer.write(fault.body);
      case "status":
        return await this.#sendError(visit, fault.kind, fault.message, fault);
    }
  }

  #nextCallId({ route }: Visit): string {
    this.#calls += 1;
    return route.format.callId(this.#calls);
  }

  /** An error that the script did not ask for. */
  async #refuse(visit: Visit, kind: ErrorKind, problem: string): Promise<void> {
    visit.note({ problem });
    await this.#sendError(visit, kind, problem);
  }

  async #sendError(
    visit: Visit,
    kind: ErrorKind,
    message: string,
    given: Partial<Extract<HttpFault, { type: "status" }>> = {},
  ): Promise<void> {
    const requestId = `req_fake_${visit.n}`;
    const error = visit.route.format.error({ kind, message, limit: given.limit, requestId });
    await sendJson(visit.exchange, visit.writer, {
      status: given.status ?? error.status,
      headers: { ...headersOf(visit), ...error.headers, ...given.headers },
      body: error.body,
    });
  }

  /** A request that the provider would refuse, or a script that throws. */
  async #fail(visit: Visit, error: unknown): Promise<void> {
    const { exchange } = visit;
    const refused = error instanceof ZodError;
    const problem = refused ? prettifyError(error) : `the script failed: ${String(error)}`;
    visit.note({ problem });
    if (exchange.closed.aborted) return;
    if (exchange.response.headersSent) return exchange.cut();
    await this.#sendError(visit, refused ? "invalid_request" : "server", problem);
    await exchange.end();
  }
}

/** A request of which nothing more is known yet. */
function arrival(
  asked: Pick<
    JournalEntry,
    "method" | "path" | "query" | "headers" | "credentials" | "text" | "body"
  >,
): Omit<JournalEntry, "id"> {
  return {
    ...asked,
    at: new Date(),
    request: undefined,
    rule: undefined,
    problem: undefined,
    status: 0,
    bytesSent: 0,
    outcome: "open",
    endedAt: undefined,
  };
}

function headersOf({ n, route }: Visit): Record<string, string> {
  const name = route.format.name === "anthropic" ? "request-id" : "x-request-id";
  return { [name]: `req_fake_${n}` };
}

function tooLarge(): string {
  return `expected a body of at most ${MAX_REQUEST_BYTES} bytes`;
}
