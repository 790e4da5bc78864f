import type { SQLInputValue } from "node:sqlite";

import type { HistoryQuery, RelayCursor, StoredDelivery } from "@agentos/core";
import { channelOf, foldName } from "@agentos/protocol";

import { type Columns, columnsOf } from "./columns.ts";

/** Messages that a search for a text looks at, newest first. */
const SEARCHED_MESSAGES = 20_000;

/** Deliveries, as `d`, that may still change. */
export const OPEN = "d.state IN ('accepted', 'queued', 'handed_over', 'consumed')";

interface Select {
  readonly sql: string;
  readonly values: SQLInputValue[];
}

/** Conditions with their values, as a statement takes them. */
class Where {
  readonly #conditions: string[] = [];
  readonly values: SQLInputValue[] = [];

  add(condition: string, ...values: SQLInputValue[]): void {
    this.#conditions.push(condition);
    this.values.push(...values);
  }

  get sql(): string {
    return this.#conditions.join(" AND ");
  }
}

/** A delivery's own columns. */
export function deliveryOf(delivery: StoredDelivery): Columns {
  return columnsOf([
    ["delivery_id", delivery.deliveryId],
    ["recipient", delivery.recipient],
    ["folded_recipient", foldName(delivery.recipient)],
    ["agent_id", delivery.agentId],
    ["state", delivery.state],
    ["reason", delivery.reason ?? null],
    ["detail", delivery.detail ?? null],
    ["attempts", delivery.attempts],
    ["history", JSON.stringify(delivery.history)],
    ["priority", delivery.priority],
    ["bytes", delivery.bytes],
    ["accepted_at", delivery.acceptedAt],
    ["session_seq", delivery.sessionSeq],
  ]);
}

/** The events that a cursor asks for: oldest first, or newest first. */
export function eventsSql(
  user: string,
  { after, limit, newest, agent, messageId, types }: RelayCursor,
): Select {
  const where = new Where();
  where.add("user = ? AND seq > ?", user, after);
  if (agent !== undefined) where.add("agent = ?", foldName(agent));
  if (messageId !== undefined) where.add("message_id = ?", messageId);
  if (types !== undefined) where.add(`type IN (${types.map(() => "?").join(", ")})`, ...types);
  const order = newest ? "DESC" : "ASC";
  const sql = `SELECT event AS text FROM relay_events WHERE ${where.sql} ORDER BY seq ${order} LIMIT ?`;
  return { sql, values: [...where.values, limit] };
}

/** The messages that a query asks for, newest first. */
export function historySql(
  user: string,
  { channel, threadId, agent, text, before, limit }: HistoryQuery,
): Select {
  const where = new Where();
  where.add("m.user = ?", user);
  if (channel !== undefined)
    where.add("lower(m.target) = ?", `#${channelOf(channel).toLowerCase()}`);
  if (threadId !== undefined) where.add("m.thread_id = ?", threadId);
  if (agent !== undefined) {
    const name = agent.replace(/^@/, "");
    const received = `m.id IN (SELECT message FROM relay_deliveries WHERE user = ? AND folded_recipient = ?)`;
    where.add(`(m.sender = ? COLLATE NOCASE OR ${received})`, name, user, foldName(name));
  }
  if (before !== undefined) {
    const place = "SELECT id FROM relay_messages WHERE user = ? AND message_id = ?";
    where.add(`m.id < (${place})`, user, before);
  }
  if (text !== undefined) {
    const newest = "SELECT max(id) FROM relay_messages WHERE user = ?";
    where.add(`m.id > (${newest}) - ${SEARCHED_MESSAGES}`, user);
    const escaped = text.replaceAll(/[\\%_]/g, (character) => `\\${character}`);
    where.add("json_extract(m.message, '$.text') LIKE ? ESCAPE '\\'", `%${escaped}%`);
  }
  const sql = `SELECT m.message AS text FROM relay_messages m WHERE ${where.sql} ORDER BY m.id DESC LIMIT ?`;
  return { sql, values: [...where.values, limit] };
}
