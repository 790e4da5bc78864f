import type {
  HistoryQuery,
  RelayCursor,
  RelayStore,
  RelayTotals,
  RelayWrite,
  StoredAgent,
  StoredDelivery,
  StoredThread,
} from "@agentos/core";
import {
  Continuity,
  CrashRecord,
  foldName,
  type InboxEntry,
  RelayEvent,
  type RelayMessage,
} from "@agentos/protocol";
import * as z from "zod";

import { eventsSql, historySql, OPEN } from "./relay-queries.ts";
import { RelayWriter } from "./relay-writer.ts";
import { rowsWithin, textsWithin } from "./rows-within.ts";
import type { SealedText } from "./sealed-text.ts";
import type { StateFile } from "./state-file.ts";
import { readMessage, readStoredAgent, readStoredDelivery } from "./stored-relay.ts";

const Text = z.object({ text: z.string() });
const MessageText = z.object({ message_text: z.string() });
const Number = z.object({ number: z.int() });
const Totals = z.object({ spawned: z.int(), crashes: z.int(), restarts: z.int() });

const DELIVERY = `SELECT d.*, m.message_id FROM relay_deliveries d JOIN relay_messages m ON m.id = d.message`;
const ENTRY = `SELECT d.*, m.message_id, m.message AS message_text FROM relay_deliveries d JOIN relay_messages m ON m.id = d.message`;

/** One user's relay in the pool's state file. */
export class SqliteRelayStore implements RelayStore {
  readonly #file: StateFile;
  readonly #sealed: SealedText;
  readonly #user: string;
  readonly #writer: RelayWriter;
  #lastSeq: number;

  constructor(file: StateFile, sealed: SealedText, user: string) {
    this.#file = file;
    this.#sealed = sealed;
    this.#user = user;
    this.#writer = new RelayWriter(file, sealed, user);
    this.#lastSeq = this.#number(
      "SELECT coalesce(max(seq), 0) AS number FROM relay_events WHERE user = ?",
    );
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get oldestSeq(): number {
    const select = "SELECT coalesce(min(seq), 1) AS number FROM relay_events WHERE user = ?";
    return this.#number(select);
  }

  get totals(): RelayTotals {
    const [row] = this.#file.all("SELECT * FROM relay_totals WHERE user = ?", this.#user);
    return row === undefined ? { spawned: 0, crashes: 0, restarts: 0 } : Totals.parse(row);
  }

  write(write: RelayWrite): void {
    this.#file.transact(() => this.#writer.apply(write));
    this.#lastSeq = write.events?.at(-1)?.seq ?? this.#lastSeq;
  }

  events(cursor: RelayCursor): RelayEvent[] {
    const { sql, values } = eventsSql(this.#user, cursor);
    const rows = this.#file.rows(sql, ...values);
    const events = textsWithin(rows, cursor.maxBytes).map((text) =>
      RelayEvent.parse(JSON.parse(text)),
    );
    return cursor.newest ? events.toReversed() : events;
  }

  livingAgents(): StoredAgent[] {
    const where = "user = ? AND state NOT IN ('released', 'dead') ORDER BY id";
    return this.#file
      .all(`SELECT * FROM relay_agents WHERE ${where}`, this.#user)
      .map((row) => readStoredAgent(row, this.#sealed));
  }

  agentById(agentId: string): StoredAgent | undefined {
    return this.#agent("agent_id = ?", agentId);
  }

  agentNamed(name: string): StoredAgent | undefined {
    return this.#agent("folded_name = ? ORDER BY id DESC LIMIT 1", foldName(name));
  }

  message(messageId: string): RelayMessage | undefined {
    const sql = "SELECT message FROM relay_messages WHERE user = ? AND message_id = ?";
    const [row] = this.#file.all(sql, this.#user, messageId);
    return row === undefined ? undefined : readMessage(row);
  }

  deliveries(messageId: string): StoredDelivery[] {
    const sql = `${DELIVERY} WHERE m.user = ? AND m.message_id = ? ORDER BY d.id`;
    return this.#file.all(sql, this.#user, messageId).map(readStoredDelivery);
  }

  delivery(deliveryId: string): StoredDelivery | undefined {
    const sql = `${DELIVERY} WHERE d.user = ? AND d.delivery_id = ?`;
    const [row] = this.#file.all(sql, this.#user, deliveryId);
    return row === undefined ? undefined : readStoredDelivery(row);
  }

  open(agentId: string | null): StoredDelivery[] {
    const sql = `${DELIVERY} WHERE d.user = ? AND d.agent_id IS ? AND ${OPEN} ORDER BY d.id`;
    return this.#file.all(sql, this.#user, agentId).map(readStoredDelivery);
  }

  orphans(): StoredDelivery[] {
    const gone =
      "SELECT agent_id FROM relay_agents WHERE user = ? AND state IN ('released', 'dead')";
    const sql = `${DELIVERY} WHERE d.user = ? AND d.agent_id IN (${gone}) AND ${OPEN} ORDER BY d.id`;
    return this.#file.all(sql, this.#user, this.#user).map(readStoredDelivery);
  }

  inbox({ recipient, all, limit, maxBytes }: Parameters<RelayStore["inbox"]>[0]): InboxEntry[] {
    const state = all ? "" : "AND d.state IN ('accepted', 'queued')";
    const sql = `${ENTRY} WHERE d.user = ? AND d.folded_recipient = ? ${state} ORDER BY d.id LIMIT ?`;
    return this.#entries(this.#file.rows(sql, this.#user, foldName(recipient), limit), maxBytes);
  }

  deadLetters(limit: number, maxBytes: number): InboxEntry[] {
    const sql = `${ENTRY} WHERE d.user = ? AND d.state = 'dead_lettered' ORDER BY d.id DESC LIMIT ?`;
    return this.#entries(this.#file.rows(sql, this.#user, limit), maxBytes);
  }

  history(query: HistoryQuery): RelayMessage[] {
    const { sql, values } = historySql(this.#user, query);
    const rows = this.#file.rows(sql, ...values);
    return textsWithin(rows, query.maxBytes).map((text) => readMessage({ message: text }));
  }

  threads(limit: number): StoredThread[] {
    const sql = `SELECT thread_id, count(*) AS messages, max(id) AS last FROM relay_messages
      WHERE user = ? GROUP BY thread_id ORDER BY last DESC LIMIT ?`;
    const Row = z.object({ thread_id: z.string(), messages: z.int(), last: z.int() });
    return this.#file.all(sql, this.#user, limit).map((row) => {
      const { thread_id: threadId, messages, last } = Row.parse(row);
      const [newest] = this.#file.all("SELECT message FROM relay_messages WHERE id = ?", last);
      const { at, text } = readMessage(newest);
      const participants = this.participants(threadId);
      return { threadId, messages, participants, lastAt: at, preview: text.slice(0, 160) };
    });
  }

  participants(threadId: string): string[] {
    const sql = `SELECT DISTINCT who AS text FROM (
      SELECT sender AS who FROM relay_messages WHERE user = ? AND thread_id = ?
      UNION SELECT d.recipient FROM relay_deliveries d JOIN relay_messages m ON m.id = d.message
      WHERE m.user = ? AND m.thread_id = ?)`;
    const rows = this.#file.all(sql, this.#user, threadId, this.#user, threadId);
    return rows.map((row) => Text.parse(row).text);
  }

  hasWritten(from: string, recipient: string): boolean {
    const sql = `SELECT 1 FROM relay_deliveries d JOIN relay_messages m ON m.id = d.message
      WHERE d.user = ? AND d.folded_recipient = ? AND m.sender = ? LIMIT 1`;
    return this.#file.all(sql, this.#user, foldName(recipient), from).length > 0;
  }

  crashes(): CrashRecord[] {
    const sql = "SELECT crash AS text FROM relay_crashes WHERE user = ? ORDER BY id";
    return this.#file
      .all(sql, this.#user)
      .map((row) => CrashRecord.parse(JSON.parse(Text.parse(row).text)));
  }

  continuity(agentName: string): Continuity | undefined {
    const sql =
      "SELECT continuity AS text FROM relay_continuity WHERE user = ? AND folded_name = ?";
    const [row] = this.#file.all(sql, this.#user, foldName(agentName));
    return row === undefined ? undefined : Continuity.parse(JSON.parse(Text.parse(row).text));
  }

  #agent(where: string, value: string): StoredAgent | undefined {
    const sql = `SELECT * FROM relay_agents WHERE user = ? AND ${where}`;
    const [row] = this.#file.all(sql, this.#user, value);
    return row === undefined ? undefined : readStoredAgent(row, this.#sealed);
  }

  #entries(rows: Iterable<Record<string, unknown>>, maxBytes: number): InboxEntry[] {
    return rowsWithin(rows, maxBytes, (row) => {
      const { message_text: text } = MessageText.parse(row);
      const entry = { message: readMessage({ message: text }), delivery: readStoredDelivery(row) };
      return { value: entry, bytes: Buffer.byteLength(text) };
    });
  }

  #number(sql: string): number {
    const [row] = this.#file.all(sql, this.#user);
    return Number.parse(row).number;
  }
}
