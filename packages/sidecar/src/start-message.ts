import type { Readable, Writable } from "node:stream";

import { AgentOsError, type StartReply, StartRequest } from "@agentos/protocol";

import { BOUNDS } from "./bounds.ts";

const LENGTH_BYTES = 4;

/** Reads the one framed message that starts a sidecar. Rejects with `PROTOCOL_ERROR`, `INVALID_ARGUMENT` or `DEADLINE_EXCEEDED`. */
export async function readStartRequest(input: Readable, deadlineMs: number): Promise<StartRequest> {
  const body = await readFramed(input, deadlineMs);
  const parsed = StartRequest.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw broken(`the start message does not parse: ${issue?.path.join(".")}: ${issue?.message}`);
}

/** Writes the one framed answer and resolves once the system has it. */
export async function writeStartReply(output: Writable, reply: StartReply): Promise<void> {
  const body = Buffer.from(JSON.stringify(reply));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(body.byteLength);
  await new Promise<void>((resolve, reject) => {
    output.write(Buffer.concat([length, body]), (error) => (error ? reject(error) : resolve()));
  });
}

function readFramed(input: Readable, deadlineMs: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let received = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    if (received.byteLength < LENGTH_BYTES) return;
    const length = received.readUInt32LE();
    if (length > BOUNDS.startRequestBytes) {
      return reject(
        broken(
          `the start message has ${length} bytes, at most ${BOUNDS.startRequestBytes} are taken`,
        ),
      );
    }
    if (received.byteLength >= LENGTH_BYTES + length)
      resolve(received.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
  };
  const onEnd = (): void =>
    reject(broken(`stdin ended after ${received.byteLength} bytes, expected a start message`));
  const timer = setTimeout(() => reject(late(deadlineMs)), deadlineMs);
  input.on("data", onData).on("end", onEnd).on("error", reject);
  return promise.finally(() => {
    clearTimeout(timer);
    input.off("data", onData).off("end", onEnd).off("error", reject).pause();
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    // The parser's own words would repeat what came, which may hold a secret.
    throw broken("the start message is not JSON");
  }
}

function broken(reason: string): AgentOsError {
  return new AgentOsError("PROTOCOL_ERROR", reason, { reason });
}

function late(deadlineMs: number): AgentOsError {
  return new AgentOsError(
    "DEADLINE_EXCEEDED",
    `no start message on stdin within ${deadlineMs} ms`,
    {
      operation: "start",
      deadlineMs,
    },
  );
}
