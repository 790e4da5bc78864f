import {
  type CallbackResult,
  Content,
  type HookPoint,
  type JsonObject,
  Question,
  type RequestAnswer,
  type SessionSpec,
  ToolCall,
  ToolResult,
} from "@agentos/protocol";
import * as z from "zod";

import type { SessionFunction } from "./session-functions.ts";

type Answer = Extract<CallbackResult, { kind: "hook" }>;
type Maybe<T> = T | void | Promise<T | void>;
/** One function, or several in order. */
type Hook<D, R = void> = ((data: D) => Maybe<R>) | readonly ((data: D) => Maybe<R>)[];

const About = z.object({ sessionId: z.string(), runtime: z.string() });
const Prompted = z.object({ prompt: Content });
const Answered = z.object({ responseText: z.string(), stopReason: z.string() });
const Done = z.object({ call: ToolCall, result: ToolResult });
const Asked = z.object({ questions: z.array(Question) });
const Compacted = z.object({ summary: z.string().optional() });
const Stopping = Answered.extend({ continuationCount: z.int() });

/** What a decider says. `false` in `allow` denies; nothing allows. */
export interface Decision {
  readonly allow?: boolean;
  readonly message?: string;
}

/** Functions of this program at the ten points of a session. A decider that throws or is late denies. */
export interface Hooks {
  readonly onSessionStart?: Hook<z.infer<typeof About>>;
  readonly onSessionEnd?: Hook<z.infer<typeof About>>;
  /** Decides: a denial ends the turn before the model is called. */
  readonly preTurn?: Hook<z.infer<typeof Prompted>, Decision>;
  readonly postTurn?: Hook<z.infer<typeof Answered>>;
  /** Decides, and may replace fields of the input. */
  readonly preToolCall?: Hook<ToolCall, Decision & { readonly input?: JsonObject }>;
  readonly postToolCall?: Hook<z.infer<typeof Done>>;
  /** May say another text for the error; it stays an error. */
  readonly onToolError?: Hook<z.infer<typeof Done>, string>;
  /** May answer the agent's questions. */
  readonly onInteraction?: Hook<z.infer<typeof Asked>, RequestAnswer>;
  readonly onCompaction?: Hook<z.infer<typeof Compacted>>;
  /** May have the turn go on, with a word to the agent. */
  readonly onStop?: Hook<z.infer<typeof Stopping>, string>;
}

const nothing = (): Omit<Answer, "kind"> => ({});

type WireHooks = NonNullable<SessionSpec["hooks"]>;

/** The hooks as the sidecar gets them; their functions go into `functions`. */
export function wireHooks(hooks: Hooks, functions: Map<string, SessionFunction>): WireHooks {
  const wire: WireHooks = [];
  const add = <D, R>(
    point: HookPoint,
    hook: Hook<D, R> | undefined,
    schema: z.ZodType<D>,
    answer: (said: R) => Omit<Answer, "kind">,
  ): void => {
    const all = typeof hook === "function" ? [hook] : (hook ?? []);
    for (const run of all) {
      const callback = `hook:${wire.length}`;
      wire.push({ point, callback });
      functions.set(callback, async ({ ask }) => {
        const said = await run(schema.parse(ask.kind === "hook" ? ask.data : {}));
        return { kind: "hook", ...(said === undefined ? {} : answer(said)) };
      });
    }
  };
  add("session_start", hooks.onSessionStart, About, nothing);
  add("session_end", hooks.onSessionEnd, About, nothing);
  add("pre_turn", hooks.preTurn, Prompted, (said) => said);
  add("post_turn", hooks.postTurn, Answered, nothing);
  add("pre_tool_call", hooks.preToolCall, ToolCall, (said) => said);
  add("post_tool_call", hooks.postToolCall, Done, nothing);
  add("tool_error", hooks.onToolError, Done, (message) => ({ message }));
  add("interaction", hooks.onInteraction, Asked, (said) => ({ answer: said }));
  add("compaction", hooks.onCompaction, Compacted, nothing);
  add("stop", hooks.onStop, Stopping, (goOn) => ({ goOn }));
  return wire;
}
