import type { AgentRuntime } from "@agentos/core";
import type { PendingRequest, RequestOutcome } from "@agentos/protocol";

import type { RequestBook } from "../request-book.ts";
import type { Subagents } from "../subagents.ts";
import { errorFacts, nothing } from "./deadline.ts";
import { EarlierRequests } from "./earlier-requests.ts";
import { OpenRequests } from "./open-requests.ts";
import { Session } from "./session.ts";
import type { LeftTurns } from "./settle-interrupted.ts";
import type { ParentSession, SessionHostOptions } from "./session-parts.ts";
import type { SessionRecord } from "./session-record.ts";
import { VmAccess } from "./vm-access.ts";

export interface BuildRequest {
  readonly host: SessionHostOptions;
  readonly record: SessionRecord;
  readonly runtime: AgentRuntime;
  readonly fence: number;
  readonly left?: LeftTurns;
  readonly parent?: ParentSession | undefined;
  /** What its agent may start; given the session that is being built. */
  readonly subagents: (session: () => Session) => Subagents | undefined;
  readonly makeRoom: (user: string) => void;
  readonly onClosed: () => void;
}

/** Puts a session together from its record. Throws `NOT_FOUND` or `VM_ENDED` where its VM is gone. */
export function buildSession(request: BuildRequest): Session {
  const { host, record, runtime, fence, left, parent, onClosed } = request;
  const { user, spec, vmId } = record.now;
  const access = new VmAccess({ vms: host.vms, user, vmId, fence });
  const callbacks = host.callbacks(user);
  const notice = (message: string): void => tellNotice(host, session, message);
  const earlier = new EarlierRequests({
    record,
    store: host.store,
    log: host.log,
    fence: () => access.fence,
  });
  const requests = openRequests({ host, record, earlier, session: () => session });
  const parts = {
    host,
    runtime,
    record,
    spec,
    access,
    callbacks,
    notice,
    parent,
    hooks: host.openHooks({ sessionId: spec.sessionId, spec, callbacks, notice }),
    requests:
      parent?.within === undefined ? requests : within(parent.within.requests, () => session),
    subagents: request.subagents(() => session),
    makeRoom: () => request.makeRoom(user),
  };
  const onChange = (): void => host.onChange?.();
  const session: Session = new Session({
    parts,
    requests,
    onClosed,
    onChange,
    ...(left === undefined ? {} : { left }),
  });
  return session;
}

function tellNotice(host: SessionHostOptions, session: Session, message: string): void {
  try {
    const turnId = session.runningTurn?.turn.turnId ?? null;
    session.record.write({ entries: [{ turnId, happening: { type: "notice", message } }] });
  } catch (error) {
    // A notice is for people to read: what it is about goes on without it.
    const facts = { sessionId: session.sessionId, ...errorFacts(error) };
    host.log.warn(facts, "a notice was not written");
  }
}

/** The session's own book: while something is open in it, the session waits. */
function openRequests({
  host,
  record,
  earlier,
  session,
}: {
  host: SessionHostOptions;
  record: SessionRecord;
  earlier: EarlierRequests;
  session: () => Session;
}): OpenRequests {
  let goOn = nothing;
  return new OpenRequests({
    sessionId: record.sessionId,
    earlier,
    outcome: (requestId) => host.store.outcome(record.key, requestId),
    opened: (request: PendingRequest, is: { new: boolean; first: boolean }) => {
      const entry = { turnId: request.turnId, happening: { type: "request" as const, request } };
      record.write({
        ...(is.new ? { openRequest: request, entries: [entry] } : {}),
        ...(is.first ? { state: "waiting" as const } : {}),
      });
      if (is.first) goOn = session().runningTurn?.time.pauseForPeople() ?? goOn;
    },
    settled: ({ requestId, turnId }, outcome: RequestOutcome, wasLast: boolean) => {
      const happening = { type: "request_resolved" as const, requestId, outcome };
      record.write({
        settleRequest: { requestId, outcome },
        entries: [{ turnId, happening }],
        ...(wasLast ? { state: "running" as const } : {}),
      });
      if (wasLast) goOn();
    },
  });
}

/** The book of the session above: what is asked there, this one waits for. */
function within(book: RequestBook, session: () => Session): RequestBook {
  return {
    open: async (request, signal) => {
      const goOn = session().runningTurn?.time.pauseForPeople();
      try {
        return await book.open(request, signal);
      } finally {
        goOn?.();
      }
    },
  };
}
