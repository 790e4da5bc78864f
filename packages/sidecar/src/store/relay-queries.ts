import type { SQLInputValue } from "node:sqlite";

import type { HistoryQuery, StoredDelivery } from "@agentos/core";
import { channelOf, foldName } from "@agentos/protocol";

/** Messages that a search for a text looks at, newest first. */
const SEARCHED_MESSAGES = 20_000;

/** A delivery's own columns. */
export function deliveryOf(delivery: StoredDelivery): { names: string[]; values: SQLInputValue[] } {
  const columns: readonly [string, SQLInputValue][] = [
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
  ];
  return { names: columns.map(([name]) => name), values: columns.map(([, value]) => value) };
}

/** The messages that a query asks for, newest first. */
export function historySql(
  user: string,
  { channel, threadId, agent, text, before, limit }: HistoryQuery,
): { sql: string; values: SQLInputValue[] } {
  const wheres = ["m.user = ?"];
  const values: SQLInputValue[] = [user];
  const add = (where: string, ...more: SQLInputValue[]): void => {
    wheres.push(where);
    values.push(...more);
  };
  if (channel !== undefined) add("lower(m.target) = ?", `#${channelOf(channel).toLowerCase()}`);
  if (threadId !== undefined) add("m.thread_id = ?", threadId);
  if (agent !== undefined) {
    const name = agent.replace(/^@/, "");
    const received = `m.id IN (SELECT message FROM relay_deliveries WHERE user = ? AND folded_recipient = ?)`;
    add(`(m.sender = ? COLLATE NOCASE OR ${received})`, name, user, foldName(name));
  }
  if (before !== undefined)
    add("m.id < (SELECT id FROM relay_messages WHERE user = ? AND message_id = ?)", user, before);
  if (text !== undefined) {
    const newest = "SELECT max(id) FROM relay_messages WHERE user = ?";
    add(`m.id > (${newest}) - ${SEARCHED_MESSAGES}`, user);
    const escaped = text.replaceAll(/[\\%_]/g, (character) => `\\${character}`);
    add("json_extract(m.message, '$.text') LIKE ? ESCAPE '\\'", `%${escaped}%`);
  }
  const where = wheres.join(" AND ");
  const sql = `SELECT m.message AS text FROM relay_messages m WHERE ${where} ORDER BY m.id DESC LIMIT ?`;
  return { sql, values: [...values, limit] };
}

/** As many as have room, but one where there is one. */
export function within<T>(
  rows: Iterable<Record<string, unknown>>,
  maxBytes: number,
  read: (row: Record<string, unknown>) => { value: T; bytes: number },
): T[] {
  const found: T[] = [];
  let sum = 0;
  for (const row of rows) {
    const { value, bytes } = read(row);
    sum += bytes;
    if (found.length > 0 && sum > maxBytes) break;
    found.push(value);
  }
  return found;
}
