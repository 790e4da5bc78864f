import type { Readable } from "node:stream";

/** Each line of `output` as a JSON object; throws for one that is none. */
export function jsonLines(output: string): Record<string, unknown>[] {
  return output
    .trimEnd()
    .split("\n")
    .map((line) => {
      const value: unknown = JSON.parse(line);
      if (typeof value !== "object" || value === null) throw new Error(`no JSON object: ${line}`);
      return Object.fromEntries(Object.entries(value));
    });
}

/** Resolves when `expected` has come; rejects when the stream ends without it. */
export async function waitForOutput(stream: Readable, expected: string): Promise<void> {
  let seen = "";
  await new Promise<void>((resolve, reject) => {
    const onData = (chunk: unknown): void => {
      seen += String(chunk);
      if (!seen.includes(expected)) return;
      stream.off("data", onData).off("end", onEnd);
      resolve();
    };
    const onEnd = (): void => reject(new Error(`expected ${expected} in the output, got ${seen}`));
    stream.on("data", onData).once("end", onEnd);
  });
}
