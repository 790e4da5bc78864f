import {
  ByteWriter,
  decodeFrame,
  encodeFrame,
  FRAME_KIND,
  isAgentOsError,
} from "@agentos/protocol";
import { describe, expect, test } from "vitest";

const WINDOW = 256 * 1024;

/** What a reader that acknowledges nothing by itself has got. */
function startReader(writer: ByteWriter) {
  const received: Uint8Array[] = [];
  let isEnded = false;
  writer.attach({
    send: (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame?.kind === FRAME_KIND.eofIn) isEnded = true;
      else if (frame !== undefined) received.push(Uint8Array.from(frame.payload));
    },
  });
  return {
    get bytes() {
      return Buffer.concat(received);
    },
    get isEnded() {
      return isEnded;
    },
    take(offset: number) {
      writer.frame(encodeFrame(FRAME_KIND.inAck, 0, offset));
    },
  };
}

async function isSettled(promise: Promise<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => true), Promise.resolve(false)]);
}

describe("ByteWriter", () => {
  test("sends what was written before there was a target, then the end", async () => {
    const writer = new ByteWriter();
    writer.write(Buffer.from("one "));
    writer.write(Buffer.from("two"));
    writer.end();
    const reader = startReader(writer);
    expect(reader.bytes.toString()).toBe("one two");
    expect(reader.isEnded).toBe(true);
    await writer.drained;
  });

  test("keeps to the window, goes on as it is read, and says when it is through", async () => {
    const writer = new ByteWriter();
    const reader = startReader(writer);
    writer.write(Buffer.alloc(WINDOW + 3, "x"));
    writer.end();
    expect(reader.bytes.byteLength).toBe(WINDOW);
    expect(await isSettled(writer.drained)).toBe(false);
    expect(reader.isEnded).toBe(false);
    reader.take(64 * 1024);
    await writer.drained;
    expect(reader.bytes.byteLength).toBe(WINDOW + 3);
    expect(reader.isEnded).toBe(true);
  });

  test("refuses more than may wait, and lets go of whoever waits when it is closed", async () => {
    const writer = new ByteWriter({ maxWaiting: 10 });
    writer.write(Buffer.alloc(10));
    expect(() => writer.write(Buffer.alloc(1))).toThrow(
      expect.toSatisfy((error) => isAgentOsError(error, "POOL_EXHAUSTED")),
    );
    writer.close();
    await writer.drained;
    writer.write(Buffer.from("nobody reads it"));
    expect(startReader(writer).bytes.byteLength).toBe(0);
  });
});
