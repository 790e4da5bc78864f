import { AgentOs, isAgentOsError, type Session } from "@agentos/client";

import { Child } from "../child.ts";
import { atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";
import { measured, timed } from "../shuffled-run.ts";

const SESSIONS = 50;
/** The ticking model never ends by itself. */
const ENDLESS = "999999999";
/** A tool after each second of words. */
const WITH_TOOLS = "tool-100";

/** How quickly a session's turn is cancelled, and a control request answered, alone and beside 50 sessions at work. */
export const sessionCancelRow: Row = {
  name: "session-cancel",
  run: async ({ count }) => {
    await using model = await Child.start("ticking-model");
    await using os = await AgentOs.create();
    const open = (apiKey: string): Promise<Session> =>
      os.createSession({
        runtime: "api",
        model: "ticking",
        provider: { name: "openai-compatible", baseUrl: model.said, apiKey },
      });
    await using session = await open(ENDLESS);
    const cancels = (): Promise<number[]> => repeat(count, () => cancelled(session));
    const controls = (): Promise<number[]> => repeat(count, () => timed(() => os.info()));
    await cancels();
    const quiet = { cancel: await cancels(), control: await controls() };
    const others = await Promise.all(Array.from({ length: SESSIONS }, () => open(WITH_TOOLS)));
    await Promise.all(others.map((other) => other.send("Tell the time")));
    const beside = { cancel: await cancels(), control: await controls() };
    await Promise.all(others.map((other) => other.close()));
    const { variants, ratio } = measured({
      "cancel, quiet": summarise(quiet.cancel),
      "cancel, 50 others": summarise(beside.cancel),
      "control, quiet": summarise(quiet.control),
      "control, 50 others": summarise(beside.control),
    });
    return {
      row: "cancel and control beside 50 sessions that stream and call tools",
      unit: "ms",
      variants,
      goals: [
        atMost("cancel p95 / quiet", ratio("cancel, 50 others", "cancel, quiet", "p95"), 3),
        atMost("control p99 / quiet", ratio("control, 50 others", "control, quiet", "p99"), 3),
      ],
    };
  },
};

/** From the call to the turn's end, in the middle of its text. */
async function cancelled(session: Session): Promise<number> {
  const turn = session.prompt("Tell the time");
  for await (const event of turn) if (event.type === "text") break;
  return await timed(async () => {
    await session.cancel();
    await Promise.resolve(turn).catch((error: unknown) => {
      if (!isAgentOsError(error, "CANCELLED")) throw error;
    });
  });
}

async function repeat(count: number, measure: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < count; index += 1) samples.push(await measure());
  return samples;
}
