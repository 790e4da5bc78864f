import { PassThrough } from "node:stream";

import { describe, expect, test } from "vitest";

import { readStartRequest, writeStartReply } from "../src/start-message.ts";
import { frameOf, startRequestOf } from "./start-request.ts";

const DEADLINE_MS = 60_000;

function inputOf(...chunks: Uint8Array[]): PassThrough {
  const input = new PassThrough();
  for (const chunk of chunks) input.write(chunk);
  return input;
}

describe("the start message", () => {
  test("is read whole from pieces of any size, and nothing after it", async () => {
    const request = startRequestOf("/tmp/x", { pool: "default" });
    const bytes = frameOf(JSON.stringify(request));
    const input = new PassThrough();
    const reading = readStartRequest(input, DEADLINE_MS);
    for (const byte of bytes) input.write(Uint8Array.of(byte));
    input.write("what follows");
    await expect(reading).resolves.toEqual(request);
  });

  test.each([
    ["too long", Buffer.from([0, 0, 0, 255]), "at most 65536 are taken"],
    ["no JSON", frameOf("not json: token-1"), "is not JSON"],
    ["null", frameOf("null"), "does not parse"],
    ["an empty object", frameOf("{}"), "does not parse: protocol"],
    [
      "a relative directory",
      frameOf(JSON.stringify({ ...startRequestOf("/x"), stateDirectory: "x" })),
      "stateDirectory",
    ],
  ])("%s is PROTOCOL_ERROR, which says why and repeats nothing", async (_name, bytes, why) => {
    const error: unknown = await readStartRequest(inputOf(bytes), DEADLINE_MS).catch(
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ code: "PROTOCOL_ERROR", message: expect.stringContaining(why) });
    expect(String(error)).not.toContain("token-1");
  });

  test("an end before the message is PROTOCOL_ERROR, silence is DEADLINE_EXCEEDED", async () => {
    const input = inputOf(Buffer.from([9, 0, 0, 0, 1]));
    input.end();
    await expect(readStartRequest(input, DEADLINE_MS)).rejects.toMatchObject({
      code: "PROTOCOL_ERROR",
    });
    await expect(readStartRequest(new PassThrough(), 1)).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
  });

  test("the answer has the same framing", async () => {
    const output = new PassThrough();
    await writeStartReply(output, { kind: "elsewhere" });
    expect(output.read()).toEqual(frameOf('{"kind":"elsewhere"}'));
  });
});
