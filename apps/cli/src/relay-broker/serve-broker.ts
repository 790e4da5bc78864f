import type { Readable, Writable } from "node:stream";

import { Broker } from "./broker.ts";
import { BrokerAgents } from "./broker-agents.ts";
import { BrokerFigures } from "./broker-figures.ts";
import type { BrokerHome } from "./broker-home.ts";
import type { BrokerLog } from "./broker-log.ts";
import { BrokerMessages } from "./broker-messages.ts";
import { EventRelay } from "./event-relay.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HeldEvents } from "./held-events.ts";
import { readLines } from "./read-lines.ts";
import type { RelayGate } from "./relay-gate.ts";
import { isRequestType, V1, V1Envelope, type V1RequestType } from "./v1-requests.ts";
import { V1Error, v1Error } from "./v1-error.ts";

/** Requests that are carried out at the same time; the next line is read when one is done. */
const MOST_REQUESTS = 256;

export interface ServeOptions {
  readonly gate: RelayGate;
  /** What is kept for a later broker. */
  readonly home?: Pick<BrokerHome, "pending" | "continuity" | "logs"> | undefined;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly directory: string;
  readonly log: Pick<BrokerLog, "error" | "warn" | "debug">;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Speaks v1 until its input ends, it is told to shut down, or the signal. Disposes nothing. */
export async function serveBroker(options: ServeOptions): Promise<void> {
  const { gate, home, stdin, stdout, directory, log, signal } = options;
  const warn = (text: string): void => log.warn(text);
  const { pending, continuity, logs } = home ?? {};
  const writer = new FrameWriter(stdout);
  const held = new HeldEvents();
  const agents = new BrokerAgents();
  const events = new EventRelay({ gate, pending, logs, agents, writer, held, warn });
  const waiting = () => events.pending;
  const figures = new BrokerFigures({ gate, agents, writer, pending: waiting, directory, warn });
  const messages = new BrokerMessages({ gate, pending, agents, held, warn });
  const broker = new Broker({ gate, agents, messages, figures, held, continuity, directory, warn });
  const telling = events.run();
  const over = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => over.resolve(), { once: true });
  if (signal.aborted) over.resolve();
  const reading = serveLines(stdin, { writer, broker, log, shutDown: () => over.resolve() });
  await Promise.race([reading, over.promise]);
  events.stop();
  stdin.destroy();
  await telling;
}

interface Serving {
  readonly writer: FrameWriter;
  readonly broker: Broker;
  readonly log: ServeOptions["log"];
  readonly shutDown: () => void;
}

async function serveLines(stdin: Readable, serving: Serving): Promise<void> {
  const running = new Set<Promise<void>>();
  for await (const line of readLines(stdin)) {
    const done = serveLine(line, serving).finally(() => running.delete(done));
    running.add(done);
    if (running.size >= MOST_REQUESTS) await Promise.race(running);
  }
}

async function serveLine(line: string | undefined, serving: Serving): Promise<void> {
  if (line?.trim() === "") return;
  const { writer, broker, log, shutDown } = serving;
  const { requestId, type, payload, problem } = readFrame(line);
  if (problem !== undefined || type === undefined || requestId === null) {
    const refused = problem ?? new V1Error("invalid_request", "request_id: expected a text");
    log.debug(`${requestId}: ${refused.code}`);
    writer.error(requestId, refused);
    return;
  }
  let isAnswered = false;
  try {
    await broker.handle(type, payload, (result) => {
      isAnswered = true;
      log.debug(`${requestId}: ${type} ok`);
      if (type === "hello") writer.answer("hello_ack", requestId, result);
      else writer.answer("ok", requestId, { result });
    });
    if (type === "shutdown") shutDown();
  } catch (error) {
    const told = v1Error(error, type);
    log.debug(`${requestId}: ${type} ${told.code}`);
    if (told.code === "internal_error") log.error(`${requestId}: ${type} ${told.message}`);
    // Answered once, whatever comes afterwards.
    if (!isAnswered) writer.error(requestId, told);
  }
}

interface Frame {
  readonly requestId: string | null;
  readonly type?: V1RequestType;
  readonly payload?: unknown;
  readonly problem?: V1Error;
}

function readFrame(line: string | undefined): Frame {
  if (line === undefined)
    return { requestId: null, problem: new V1Error("invalid_request", "the line is too long") };
  const value = parseJson(line);
  const frame = V1Envelope.safeParse(value);
  const requestId = idOf(value);
  if (!frame.success)
    return { requestId, problem: new V1Error("invalid_request", "expected a frame of v1 as JSON") };
  const { v, type, payload } = frame.data;
  if (v !== V1)
    return {
      requestId,
      problem: new V1Error(
        "unsupported_version",
        `expected v ${V1}, got ${JSON.stringify(v)?.slice(0, 40)}`,
      ),
    };
  if (isRequestType(type)) return { requestId, type, payload };
  return {
    requestId,
    problem: new V1Error("unknown_type", `unknown type ${JSON.stringify(type.slice(0, 80))}`),
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Even of a frame that is otherwise wrong: who asked is to hear of it. */
function idOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return null;
  const id: unknown = Reflect.get(value, "request_id");
  return typeof id === "string" && id !== "" ? id.slice(0, 256) : null;
}
