import {
  MessageText,
  parseArgument,
  AgentOsError,
  type Handlers,
  type MethodResult,
  type ParsedParams,
} from "@agentos/protocol";
import { Mail, Supervision, type UserRelay } from "@agentos/relay";

import type { HandlerContext } from "./handler-context.ts";

/** The relay: its user's agents and their messages. To start an agent, a lease on its VM is needed. */
export function relayHandlers(context: HandlerContext): Handlers {
  const relay = context.relay.of(context.holder.user);
  return {
    ...spawning(context, relay),
    ...supervising(relay),
    ...sending(relay),
    ...reading(relay),
  };
}

function spawning({ host, holder }: HandlerContext, relay: UserRelay): Handlers {
  const supervision = new Supervision(relay);
  return {
    "relay.spawn": ({ vmId, fence, agentId, agent }) => {
      host.access(holder, { vmId, fence });
      return relay.spawn({ user: holder.user, vmId, fence }, agentId, agent);
    },
    "relay.preflight": ({ vmId, fence, agents }) => {
      host.access(holder, { vmId, fence });
      return supervision.preflight({ user: holder.user, vmId, fence }, agents);
    },
  };
}

function supervising(relay: UserRelay): Handlers {
  const supervision = new Supervision(relay);
  return {
    "relay.release": async ({ name, reason }) => {
      await relay.release(name, reason);
      return {};
    },
    "relay.agents": (query) => supervision.agents(query),
    "relay.agent": ({ name }) => supervision.agent(name),
    "relay.continuity": ({ name }) => supervision.continuity(name),
    "relay.input": ({ name, data }) => supervision.input(name, data),
    "relay.hold": ({ name, held }) => {
      supervision.hold(name, held);
      return {};
    },
    "relay.flush": ({ name }) => supervision.flush(name),
    "relay.setModel": (params) => supervision.setModel(params),
    "relay.metrics": ({ name }) => supervision.metrics(name),
    "relay.health": () => supervision.health(),
    "relay.join": ({ name, channel }) => {
      relay.join(name, channel);
      return {};
    },
    "relay.leave": ({ name, channel }) => {
      relay.leave(name, channel);
      return {};
    },
  };
}

function sending(relay: UserRelay): Handlers {
  return {
    "relay.append": (piece) => {
      relay.drafts.append(piece);
      return {};
    },
    "relay.send": (params) => send(relay, params),
    "relay.redeliver": ({ deliveryId, to }) => relay.redeliver(deliveryId, to),
  };
}

async function send(
  relay: UserRelay,
  { from, text, ...request }: ParsedParams<"relay.send">,
): Promise<MethodResult<"relay.send">> {
  const whole = text ?? relay.drafts.take(request.messageId);
  if (whole === undefined) {
    const details = { argument: "text", expected: "a text, here or appended", actual: "none" };
    throw new AgentOsError("INVALID_ARGUMENT", "text: expected a text, here or appended", details);
  }
  const checked = parseArgument(MessageText, whole, "text");
  return await relay.send({ ...request, text: checked }, relay.sender(from));
}

function reading(relay: UserRelay): Handlers {
  const mail = new Mail(relay);
  return {
    "relay.message": (params) => mail.message(params),
    "relay.inbox": (params) => mail.inbox(params),
    "relay.read": (params) => {
      mail.read(params);
      return {};
    },
    "relay.history": (params) => mail.history(params),
    "relay.channels": () => mail.channels(),
    "relay.threads": (params) => mail.threads(params),
    "relay.deadLetters": (params) => mail.deadLetters(params),
    "relay.events": (params, { signal }) => relay.parts.journal.read(params, signal),
  };
}
