import type { FakeProgram, ProgramContext } from "@agentos/testing";

type Line = Record<string, unknown>;

/** A stand-in for Claude Code that does what a test says at each prompt. */
export function standIn(
  onPrompt: (say: (line: Line | string) => Promise<void>, context: ProgramContext) => unknown,
): FakeProgram {
  return async (context) => {
    const say = (line: Line | string): Promise<void> =>
      context.stdout(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
    let rest = "";
    for await (const bytes of context.stdin) {
      const lines = (rest + Buffer.from(bytes).toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const message: { type: string; request_id?: string } = JSON.parse(line);
        if (message.type === "control_request") {
          const response = { subtype: "success", request_id: message.request_id, response: {} };
          // oxlint-disable-next-line no-await-in-loop -- In order.
          await say({ type: "control_response", response });
        }
        if (message.type !== "user") continue;
        // oxlint-disable-next-line no-await-in-loop -- In order.
        const code = await onPrompt(say, context);
        if (typeof code === "number") return code;
      }
    }
    return 0;
  };
}

export const INIT: Line = { type: "system", subtype: "init", session_id: "conversation-1" };

export function done(result: string): Line {
  return { type: "result", subtype: "success", is_error: false, stop_reason: "end_turn", result };
}

export function said(text: string): Line {
  const delta = { type: "text_delta", text };
  return { type: "stream_event", event: { type: "content_block_delta", delta } };
}
