import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { WebSocket } from "ws";

import { Child } from "../child.ts";
import { atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";
import { measured } from "../shuffled-run.ts";

/** From a model's byte to the client: through a session, and through a relay of the same bytes that knows nothing. */
export const sessionStreamRow: Row = {
  name: "session-stream",
  run: async ({ count }) => {
    await using model = await Child.start("ticking-model");
    const relayed = await throughRelay(model.said, count);
    const told = await throughSession(model.said, count);
    const relayedAgain = await throughRelay(model.said, count);
    const { variants, ratio } = measured({
      "raw relay": summarise([...relayed, ...relayedAgain]),
      session: summarise(told),
    });
    return {
      row: "a model's byte to the client",
      unit: "ms",
      variants,
      goals: [atMost("p50 / raw relay", ratio("session", "raw relay"), 3)],
    };
  },
};

async function throughSession(baseUrl: string, words: number): Promise<number[]> {
  await using os = await AgentOs.create();
  await using session = await os.createSession({
    runtime: "api",
    model: "ticking",
    provider: { name: "openai-compatible", baseUrl, apiKey: String(words) },
  });
  const samples: number[] = [];
  for await (const event of session.prompt("Tell the time")) {
    if (event.type === "text") samples.push(...agesOf(event.delta));
  }
  return samples;
}

async function throughRelay(baseUrl: string, words: number): Promise<number[]> {
  const directory = mkdtempSync(join(tmpdir(), "aos-relay-"));
  const path = join(directory, "relay");
  const relay = await Child.start("stream-relay", [path]);
  const socket = new WebSocket(`ws+unix:${path}:/`, { perMessageDeflate: false });
  const samples: number[] = [];
  const ended = new Promise<void>((resolve) => {
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) samples.push(...agesOf(data.toString("utf8")));
      else resolve();
    });
  });
  socket.on("open", () => socket.send(`${baseUrl}/chat/completions ${words}`));
  await ended;
  socket.terminate();
  await relay[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
  return samples;
}

/** Milliseconds since each time in the text. */
function agesOf(text: string): number[] {
  const now = process.hrtime.bigint();
  const times = text.match(/\d{10,}(?= )/g) ?? [];
  return times.map((time) => Number(now - BigInt(time)) / 1e6);
}
