import type { Readable, Writable } from "node:stream";

import { Broker } from "./broker.ts";
import { BrokerAgents } from "./broker-agents.ts";
import { EventRelay } from "./event-relay.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HeldEvents } from "./held-events.ts";
import type { PendingMessages } from "./pending-messages.ts";
import { readLines } from "./read-lines.ts";
import type { RelayGate } from "./relay-gate.ts";
import { isRequestType, V1, V1Envelope, type V1RequestType } from "./v1-requests.ts";
import { V1Error, v1Error } from "./v1-error.ts";

/** Requests that are carried out at the same time; the next line is read when one is done. */
const MOST_REQUESTS = 256;

export interface ServeOptions {
  readonly gate: RelayGate;
  /** What waits outlives a broker with it. */
  readonly pending?: PendingMessages | undefined;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly directory: string;
  readonly warn: (text: string) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Speaks v1 until its input ends, it is told to shut down, or the signal. Disposes nothing. */
export async function serveBroker(options: ServeOptions): Promise<void> {
  const { gate, pending, stdin, stdout, directory, warn, signal } = options;
  const writer = new FrameWriter(stdout);
  const held = new HeldEvents();
  const agents = new BrokerAgents();
  const events = new EventRelay({ gate, pending, agents, writer, held, warn });
  const broker = new Broker({ gate, pending, agents, events, writer, held, directory, warn });
  const telling = events.run();
  const over = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => over.resolve(), { once: true });
  if (signal.aborted) over.resolve();
  const reading = serveLines(stdin, writer, broker, () => over.resolve());
  await Promise.race([reading, over.promise]);
  events.stop();
  stdin.destroy();
  await telling;
}

async function serveLines(
  stdin: Readable,
  writer: FrameWriter,
  broker: Broker,
  shutDown: () => void,
): Promise<void> {
  const running = new Set<Promise<void>>();
  for await (const line of readLines(stdin)) {
    const done = serveLine(line, writer, broker, shutDown).finally(() => running.delete(done));
    running.add(done);
    if (running.size >= MOST_REQUESTS) await Promise.race(running);
  }
}

async function serveLine(
  line: string | undefined,
  writer: FrameWriter,
  broker: Broker,
  shutDown: () => void,
): Promise<void> {
  if (line?.trim() === "") return;
  const { requestId, type, payload, problem } = readFrame(line);
  if (problem !== undefined || type === undefined || requestId === null) {
    writer.error(
      requestId,
      problem ?? new V1Error("invalid_request", "request_id: expected a text"),
    );
    return;
  }
  let isAnswered = false;
  try {
    await broker.handle(type, payload, (result) => {
      isAnswered = true;
      if (type === "hello") writer.answer("hello_ack", requestId, result);
      else writer.answer("ok", requestId, { result });
    });
    if (type === "shutdown") shutDown();
  } catch (error) {
    // Answered once, whatever comes afterwards.
    if (!isAnswered) writer.error(requestId, v1Error(error, type));
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
