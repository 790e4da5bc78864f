import * as z from "zod";

import { Id, VmId } from "../ids.ts";
import { Nothing } from "../nothing.ts";
import { VmScope } from "../vm.ts";
import { CallbackParams, CallbackResult } from "./callback.ts";
import { Content } from "./content.ts";
import { CallbackName } from "./policy.ts";
import { RequestAnswer } from "./request.ts";
import { SessionEvent } from "./session-event.ts";
import { SessionInfo, SessionSummary } from "./session-info.ts";
import { SessionRequest, SubagentSpec } from "./session-spec.ts";
import { Step } from "./step.ts";

/** To read a session, being its user is enough. */
const SessionRef = z.object({ sessionId: Id });
/** To act on it, a lease on its VM is needed: another holder's takeover ends that. */
const HeldSession = VmScope.extend({ sessionId: Id });
const AcceptedTurn = z.object({
  turnId: Id,
  /** The transcript's last seq when the turn was taken: its events come after. */
  seq: z.int().min(0),
});

/** The methods of sessions; a part of METHODS. */
export const SESSION_METHODS = {
  "session.create": {
    scope: "vm",
    summary:
      "Open a session in the VM, or resume one: as it was stored, but for what is given. The same sessionId again is the same session.",
    params: VmScope.extend({ session: SessionRequest }),
    result: SessionInfo,
  },
  "session.list": {
    scope: "user",
    summary: "The user's sessions, stored ones included.",
    params: z.object({ vmId: VmId.optional() }),
    result: z.object({ sessions: z.array(SessionSummary) }),
  },
  "session.info": {
    scope: "user",
    summary: "One session: state, counts, usage, open requests, tools.",
    params: SessionRef,
    result: SessionInfo,
  },
  "session.events": {
    scope: "user",
    summary:
      "The transcript after a seq, a bounded batch at a time. Without any it waits for the first, up to `waitMs`.",
    params: SessionRef.extend({
      after: z.int().min(0),
      limit: z.int().min(1).max(10_000).optional(),
      /** Default 0: answers at once. */
      waitMs: z.int().min(0).max(86_400_000).optional(),
    }),
    result: z.object({
      events: z.array(SessionEvent),
      /** Nothing will follow: the session is closed, failed or deleted, and this was its last event. */
      ended: z.boolean(),
    }),
  },
  "session.history": {
    scope: "user",
    summary: "The history's steps after an index, oldest first.",
    params: SessionRef.extend({
      after: z.int().min(-1).optional(),
      limit: z.int().min(1).max(10_000).optional(),
    }),
    result: z.object({ steps: z.array(Step) }),
  },
  "session.prompt": {
    scope: "vm",
    summary:
      "Take a prompt as a turn; answered once it is stored. A running turn goes first. The same turnId again is the same turn.",
    params: HeldSession.extend({
      turnId: Id,
      content: Content,
      /** `prompt`: its caller reads the reply. `send`: fire and forget. */
      source: z.enum(["prompt", "send"]),
      /** Default `queue`. */
      whenBusy: z.enum(["queue", "reject"]).optional(),
      /** Wait for a rate limit's reset and go on. Default false. */
      resumeOnRateLimit: z.boolean().optional(),
    }),
    result: AcceptedTurn,
  },
  "session.cancel": {
    scope: "vm",
    summary: "End the running turn, or the one named; answers which, `null` where none ran.",
    params: HeldSession.extend({ turnId: Id.optional() }),
    result: z.object({ turnId: Id.nullable() }),
  },
  "session.steer": {
    scope: "vm",
    summary:
      "Give the running turn more to think about, where the runtime can; answers which, `null` where none ran.",
    params: HeldSession.extend({ content: Content }),
    result: z.object({ turnId: Id.nullable() }),
  },
  "session.setModel": {
    scope: "vm",
    summary: "Have the agent use another model, where the runtime can; answered once it does.",
    params: HeldSession.extend({ model: z.string().min(1).max(256) }),
    result: Nothing,
  },
  "session.setMode": {
    scope: "vm",
    summary: "Put the agent into another of its own modes, where it has any; answered once it is.",
    params: HeldSession.extend({ mode: z.string().min(1).max(128) }),
    result: Nothing,
  },
  "session.compact": {
    scope: "vm",
    summary: "Have the agent sum up its conversation between turns, where the runtime can.",
    params: HeldSession,
    result: Nothing,
  },
  "session.respond": {
    scope: "vm",
    summary: "Answer a permission request or a question, once.",
    params: HeldSession.extend({ requestId: Id, answer: RequestAnswer }),
    result: Nothing,
  },
  "session.waitForIdle": {
    scope: "user",
    summary: "Answered when no turn runs or waits in the queue.",
    params: SessionRef.extend({ timeoutMs: z.int().min(0).optional() }),
    result: z.object({ idle: z.boolean() }),
  },
  "session.waitForWakeup": {
    scope: "user",
    summary:
      "Answered when something woke the session since it was last asked, or `false` at the time-out.",
    params: SessionRef.extend({ timeoutMs: z.int().min(0).optional() }),
    result: z.object({ woken: z.boolean() }),
  },
  "session.signalIdle": {
    scope: "vm",
    summary: "Forget what woke the session so far.",
    params: HeldSession,
    result: Nothing,
  },
  "session.clearHistory": {
    scope: "vm",
    summary: "Clear history, turn count, compactions and last response; the model's context stays.",
    params: HeldSession,
    result: Nothing,
  },
  "session.close": {
    scope: "vm",
    summary: "End the agent, its state kept. Answered once no process of it is left.",
    params: HeldSession,
    result: Nothing,
  },
  "session.delete": {
    scope: "user",
    summary: "End the session and forget it.",
    params: SessionRef,
    result: Nothing,
  },
  "session.fork": {
    scope: "vm",
    summary: "A session that goes on from this one's state, in another VM that is leased.",
    params: HeldSession.extend({
      into: z.object({ vmId: VmId, fence: z.int().min(1), sessionId: Id }),
    }),
    result: SessionInfo,
  },
  "session.spawn": {
    scope: "vm",
    summary: "Open a subagent's session below this one, in the same VM.",
    params: HeldSession.extend({ childId: Id, agent: SubagentSpec }),
    result: SessionInfo,
  },
  "session.handle": {
    scope: "vm",
    summary: "This connection runs these functions of the session from now on.",
    params: HeldSession.extend({ callbacks: z.array(CallbackName).max(512) }),
    result: Nothing,
  },
  "callback.call": {
    scope: "client",
    summary: "Asked of the client: a hook, predicate, handler, host tool or trigger.",
    params: CallbackParams,
    result: CallbackResult,
  },
} as const;
