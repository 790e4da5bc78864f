import type { Handlers, VmScope } from "@agentos/protocol";
import type { Session } from "@agentos/sessions";

import type { HandlerContext } from "./handler-context.ts";

interface Held extends VmScope {
  user: string;
}

type Scope = VmScope & { sessionId: string };

/** Sessions: read by their user, used by who holds a lease on their VM. */
export function sessionHandlers(context: HandlerContext): Handlers {
  return {
    ...reading(context),
    ...prompting(context),
    ...controlling(context),
    ...living(context),
  };
}

/** Throws where the caller holds no lease with the VM's present fence. */
function heldOf({ host, holder }: HandlerContext, { vmId, fence }: VmScope): Held {
  host.access(holder, { vmId, fence });
  return { user: holder.user, vmId, fence };
}

function usedOf(context: HandlerContext, params: Scope): Session {
  return context.sessions.used(heldOf(context, params), params.sessionId);
}

function reading({ sessions, holder: { user } }: HandlerContext): Handlers {
  return {
    "session.list": ({ vmId }) => ({ sessions: sessions.list(user, vmId) }),
    "session.info": ({ sessionId }) => sessions.view(user, sessionId).info(),
    "session.events": ({ sessionId, ...request }, { signal }) =>
      sessions.view(user, sessionId).events(request, signal),
    "session.history": ({ sessionId, ...request }) => ({
      steps: sessions.view(user, sessionId).history(request),
    }),
    "session.waitForIdle": async ({ sessionId, timeoutMs }, { signal }) => {
      const session = sessions.find(user, sessionId);
      // Nothing runs in a closed one.
      return { idle: (await session?.waitForIdle(timeoutMs, signal)) ?? true };
    },
    "session.waitForWakeup": async ({ sessionId, timeoutMs }, { signal }) => ({
      woken: await sessions.opened(user, sessionId).waitForWakeup(timeoutMs, signal),
    }),
  };
}

function prompting(context: HandlerContext): Handlers {
  const { sessions } = context;
  return {
    "session.prompt": ({ vmId, fence, sessionId, ...prompt }) =>
      usedOf(context, { vmId, fence, sessionId }).prompt({ ...prompt, fence }),
    "session.cancel": async ({ turnId, ...scope }) => {
      const session = sessions.find(heldOf(context, scope).user, scope.sessionId);
      if (session === undefined) return { turnId: null };
      return { turnId: await usedOf(context, scope).cancel(turnId) };
    },
    "session.respond": ({ requestId, answer, ...scope }) => {
      sessions.respond(heldOf(context, scope), scope.sessionId, requestId, answer);
      return {};
    },
    "session.signalIdle": (scope) => {
      usedOf(context, scope).signalIdle();
      return {};
    },
    "session.clearHistory": (scope) => {
      usedOf(context, scope).clearHistory();
      return {};
    },
    "session.handle": ({ callbacks, ...scope }) => {
      const { user } = heldOf(context, scope);
      usedOf(context, scope);
      context.callbacks.bind(user, scope.sessionId, callbacks, context.asker);
      return {};
    },
  };
}

function controlling(context: HandlerContext): Handlers {
  return {
    "session.steer": async ({ content, ...scope }) => ({
      turnId: await usedOf(context, scope).controls.steer(content),
    }),
    "session.setModel": async ({ model, ...scope }) => {
      await usedOf(context, scope).controls.setModel(model, scope.fence);
      return {};
    },
    "session.setMode": async ({ mode, ...scope }) => {
      await usedOf(context, scope).controls.setMode(mode, scope.fence);
      return {};
    },
    "session.compact": async (scope) => {
      await usedOf(context, scope).controls.compact(scope.fence);
      return {};
    },
  };
}

function living(context: HandlerContext): Handlers {
  const { sessions, host, holder } = context;
  const { user } = holder;
  return {
    "session.create": ({ session, ...scope }) => sessions.create(heldOf(context, scope), session),
    "session.fork": ({ into, ...scope }) => {
      heldOf(context, scope);
      host.access(holder, into);
      return sessions.fork(heldOf(context, scope), scope.sessionId, into);
    },
    "session.spawn": ({ childId, agent, ...scope }) =>
      sessions.spawn(heldOf(context, scope), scope.sessionId, childId, agent),
    "session.close": async (scope) => {
      const session = sessions.find(heldOf(context, scope).user, scope.sessionId);
      // It is what was asked for.
      if (session !== undefined) await usedOf(context, scope).close();
      return {};
    },
    "session.delete": async ({ sessionId }) => {
      await sessions.delete(user, sessionId);
      return {};
    },
  };
}
