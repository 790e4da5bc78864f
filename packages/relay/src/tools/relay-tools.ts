import { randomUUID } from "node:crypto";

import type { SessionTool, ToolSource } from "@agentos/core";
import {
  type AgentInfo,
  AgentSpec,
  isAgentOsError,
  JsonObject,
  parseArgument,
  type RelayMessage,
} from "@agentos/protocol";
import * as z from "zod";

import type { Agent } from "../agents/agent.ts";
import { RELAY_BOUNDS } from "../relay-bounds.ts";
import type { UserRelay } from "../user-relay.ts";

const Text = z.string();
const Priority = z.int().min(0).max(4).describe("0 is urgent, 4 can wait; 2 by default");

interface RelayTool<I> {
  readonly name: string;
  readonly description: string;
  readonly input: z.ZodType<I>;
  /** What it costs is bounded by no budget of the session. */
  readonly crossesBorder?: boolean;
  readonly run: (input: I) => unknown;
}

/** What an agent may do with the relay. Who it is is known by its session, and never said by it. */
export class RelayTools implements ToolSource {
  readonly #relayOf: (user: string) => UserRelay;

  constructor(relayOf: (user: string) => UserRelay) {
    this.#relayOf = relayOf;
  }

  tools({ user, sessionId }: { user: string; sessionId: string }): readonly SessionTool[] {
    const relay = this.#relayOf(user);
    const agent = relay.roster.byId(sessionId);
    if (agent === undefined) return [];
    return [
      ...sending(relay, agent),
      ...answering(relay, agent),
      ...looking(relay, agent),
      ...belonging(relay, agent),
      ...families(relay, agent),
    ];
  }
}

function sending(relay: UserRelay, agent: Agent): SessionTool[] {
  return [
    relayTool({
      name: "relay_send",
      description:
        "Send a message to another agent (its name), a channel (#name), a team (team:name), a person (human:name) or everybody in reach (*). Answered once it is stored; a reply comes as a message of its own.",
      input: z.object({
        to: z.string().min(1).max(256),
        text: Text,
        thread: z.string().min(1).max(256).optional(),
        priority: Priority.optional(),
        data: JsonObject.optional(),
        steer: z.boolean().optional().describe("into the turn that runs, where the agent can"),
      }),
      run: async ({ to, text, thread, priority, data, steer }) => {
        const mode =
          steer === undefined ? {} : { mode: steer ? ("steer" as const) : ("wait" as const) };
        const request = { messageId: newId(), to, text, threadId: thread, priority, data, ...mode };
        const sent = await relay.send(request, { kind: "agent", agent });
        return {
          message: sent.messageId,
          thread: sent.threadId,
          to: sent.deliveries.map(({ recipient }) => recipient),
        };
      },
    }),
  ];
}

function answering(relay: UserRelay, agent: Agent): SessionTool[] {
  return [
    relayTool({
      name: "relay_reply",
      description: "Answer a message: in its thread, to whoever wrote it.",
      input: z.object({
        message: z.string().min(1).max(64).describe("the message's id"),
        text: Text,
        priority: Priority.optional(),
        data: JsonObject.optional(),
      }),
      run: async ({ message, text, priority, data }) => {
        const original = relay.received(agent, message);
        const request = {
          messageId: newId(),
          to: original.from,
          text,
          replyTo: message,
          priority,
          data,
        };
        const sent = await relay.send(request, { kind: "agent", agent });
        return { message: sent.messageId, thread: sent.threadId };
      },
    }),
  ];
}

function looking(relay: UserRelay, agent: Agent): SessionTool[] {
  return [
    relayTool({
      name: "relay_inbox",
      description: "The last messages that were for you, newest last, and how many wait.",
      input: z.object({ limit: z.int().min(1).max(100).optional() }),
      run: ({ limit = 20 }) => {
        const maxBytes = RELAY_BOUNDS.messageChars;
        const { store } = relay.parts;
        const found = store.history({ agent: agent.name, limit, maxBytes }).toReversed();
        const messages = found.filter(({ from }) => from !== agent.name);
        return { waiting: agent.mailbox.pending, messages: messages.map(shownMessage) };
      },
    }),
    relayTool({
      name: "relay_agents",
      description: "The agents that you can write to.",
      input: z.object({}),
      run: () => ({
        you: agent.name,
        agents: relay.within(agent).map((each) => shownAgent(each.info())),
      }),
    }),
  ];
}

function belonging(relay: UserRelay, agent: Agent): SessionTool[] {
  return [
    relayTool({
      name: "relay_channels",
      description: "Your channels and their members. `join` and `leave` change which they are.",
      input: z.object({
        join: z.string().min(1).max(128).optional(),
        leave: z.string().min(1).max(128).optional(),
      }),
      run: ({ join, leave }) => {
        if (join !== undefined) relay.joinItself(agent, join);
        if (leave !== undefined) relay.leave(agent.name, leave);
        const { channels } = agent.stored;
        return {
          channels: channels.map((name) => ({ name: `#${name}`, members: relay.membersOf(name) })),
        };
      },
    }),
    relayTool({
      name: "relay_save",
      description: "Save a summary of your work for an agent that goes on from it.",
      input: z.object({ summary: z.string().min(1).max(65_536) }),
      run: ({ summary }) => {
        relay.saveContinuity(agent, summary);
        return { saved: agent.name };
      },
    }),
  ];
}

function families(relay: UserRelay, agent: Agent): SessionTool[] {
  return [
    relayTool({
      name: "relay_spawn",
      description:
        "Start another agent below you: of your kind, in your VM. Answered once it is ready; it gets the task, and you its messages.",
      input: z.object({
        name: z.string().min(1).max(128),
        task: z.string().min(1).max(65_536),
        model: z.string().min(1).max(256).optional(),
        cwd: z.string().min(1).max(4_096).optional(),
        channels: z.array(z.string().min(1).max(128)).max(64).optional(),
        continueFrom: z.string().min(1).max(128).optional(),
      }),
      crossesBorder: true,
      run: async (input) => {
        const { agent: child } = await relay.spawnBelow(agent, childOf(agent, input));
        return shownAgent(child);
      },
    }),
    relayTool({
      name: "relay_release",
      description: "End an agent that is below you.",
      input: z.object({
        name: z.string().min(1).max(128),
        reason: z.string().max(4_096).optional(),
      }),
      run: async ({ name, reason }) => {
        await relay.release(name, reason, agent);
        return { released: name };
      },
    }),
  ];
}

interface ChildInput {
  readonly name: string;
  readonly task: string;
  readonly model?: string | undefined;
  readonly cwd?: string | undefined;
  readonly channels?: string[] | undefined;
  readonly continueFrom?: string | undefined;
}

/** Of its parent's kind: it may do no more than that. */
function childOf(
  { stored }: Agent,
  { name, task, model, cwd, channels, continueFrom }: ChildInput,
): AgentSpec {
  const { session, team, sendTo, delivery, idleMs, restart } = stored.spec;
  const own = {
    ...session,
    ...(model === undefined ? {} : { model }),
    ...(cwd === undefined ? {} : { cwd }),
  };
  const spec = {
    name,
    task,
    session: own,
    parent: stored.name,
    channels: channels ?? [...stored.channels],
    team,
    sendTo,
    delivery,
    idleMs,
    restart,
    continueFrom,
  };
  const given = Object.entries(spec).filter(([, value]) => value !== undefined);
  return parseArgument(AgentSpec, Object.fromEntries(given), "relay_spawn");
}

function relayTool<I>({
  name,
  description,
  input,
  crossesBorder = false,
  run,
}: RelayTool<I>): SessionTool {
  return {
    name,
    description,
    inputSchema: JsonObject.parse(z.toJSONSchema(input, { io: "input" })),
    crossesBorder,
    run: async (call) => {
      try {
        const answer = await run(parseArgument(input, call.input ?? {}, name));
        return output(JSON.stringify(answer), false);
      } catch (error) {
        if (isAgentOsError(error)) return output(`${error.code}: ${error.message}`, true);
        throw error;
      }
    },
  };
}

function output(text: string, isError: boolean): Awaited<ReturnType<SessionTool["run"]>> {
  return { content: [{ type: "text", text }], isError };
}

function shownMessage({ messageId, from, to, text, threadId, at }: RelayMessage): object {
  return { message: messageId, from, to, thread: threadId, at: new Date(at).toISOString(), text };
}

function shownAgent({ name, runtime, team, channels, activity }: AgentInfo): object {
  return { name, runtime, team, channels, activity };
}

function newId(): string {
  return `msg_${randomUUID()}`;
}
