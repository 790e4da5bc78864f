import type {
  AgentChange,
  DeliveryChange,
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
  DEFAULTS,
  foldName,
  type InboxEntry,
  RelayEvent,
  type RelayMessage,
} from "@agentos/protocol";
import type { SQLInputValue } from "node:sqlite";
import * as z from "zod";

import { deliveryOf, historySql, within } from "./relay-queries.ts";
import type { SealedText } from "./sealed-text.ts";
import type { StateFile } from "./state-file.ts";
import { readMessage, readStoredAgent, readStoredDelivery } from "./stored-relay.ts";

const Text = z.object({ text: z.string() });
const MessageText = z.object({ message_text: z.string() });
const Number = z.object({ number: z.int() });
const Totals = z.object({ spawned: z.int(), crashes: z.int(), restarts: z.int() });

/** Between two looks for what is too old to be kept. */
const TRIM_EVERY = 1_024;

const DELIVERY = `SELECT d.*, m.message_id FROM relay_deliveries d JOIN relay_messages m ON m.id = d.message`;
const ENTRY = `SELECT d.*, m.message_id, m.message AS message_text FROM relay_deliveries d JOIN relay_messages m ON m.id = d.message`;
const OPEN = "d.state IN ('accepted', 'queued', 'handed_over', 'consumed')";

/** One user's relay in the pool's state file. */
export class SqliteRelayStore implements RelayStore {
  readonly #file: StateFile;
  readonly #sealed: SealedText;
  readonly #user: string;
  #lastSeq: number;
  #messages = 0;

  constructor(file: StateFile, sealed: SealedText, user: string) {
    this.#file = file;
    this.#sealed = sealed;
    this.#user = user;
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
    this.#file.transact(() => {
      if (write.addAgent !== undefined) this.#addAgent(write.addAgent);
      if (write.changeAgent !== undefined) this.#changeAgent(write.changeAgent);
      for (const message of write.addMessages ?? []) this.#addMessage(message);
      for (const delivery of write.addDeliveries ?? []) this.#addDelivery(delivery);
      for (const change of write.changeDeliveries ?? []) this.#changeDelivery(change);
      if (write.addCrash !== undefined) this.#addCrash(write.addCrash);
      if (write.saveContinuity !== undefined) this.#saveContinuity(write.saveContinuity);
      this.#addEvents(write.events ?? []);
    });
    this.#lastSeq = write.events?.at(-1)?.seq ?? this.#lastSeq;
  }

  events({ after, limit, maxBytes, agent, messageId, types }: RelayCursor): RelayEvent[] {
    const wheres = ["user = ?", "seq > ?"];
    const values: SQLInputValue[] = [this.#user, after];
    const add = (where: string, ...more: SQLInputValue[]): void => {
      wheres.push(where);
      values.push(...more);
    };
    if (agent !== undefined) add("agent = ?", foldName(agent));
    if (messageId !== undefined) add("message_id = ?", messageId);
    if (types !== undefined) add(`type IN (${types.map(() => "?").join(", ")})`, ...types);
    const where = wheres.join(" AND ");
    const sql = `SELECT event AS text FROM relay_events WHERE ${where} ORDER BY seq LIMIT ?`;
    const rows = this.#file.rows(sql, ...values, limit);
    return within(rows, maxBytes, textOf).map((text) => RelayEvent.parse(JSON.parse(text)));
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
    return within(rows, query.maxBytes, textOf).map((text) => readMessage({ message: text }));
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

  #addAgent(agent: StoredAgent): void {
    const spec = this.#sealed.seal(JSON.stringify(agent.spec));
    const into = `INSERT INTO relay_agents (user, agent_id, folded_name, name, vm_id, spec, state, channels, model, restarts, created_at)`;
    const { agentId, name, vmId, state, channels, model, restarts, createdAt } = agent;
    const values = [this.#user, agentId, foldName(name), name, vmId, spec, state];
    const more = [JSON.stringify(channels), model, restarts, createdAt];
    this.#file.change(`${into} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, ...values, ...more);
    this.#total("spawned");
  }

  #changeAgent({ agentId, change }: { agentId: string; change: AgentChange }): void {
    const columns: [string, SQLInputValue | undefined][] = [
      ["state", change.state],
      ["channels", change.channels && JSON.stringify(change.channels)],
      ["model", change.model],
      ["restarts", change.restarts],
    ];
    this.#update("relay_agents", columns, "agent_id", agentId);
    if (change.restarts !== undefined) this.#total("restarts");
  }

  #addMessage(message: RelayMessage): void {
    const { messageId, threadId, from, to, at } = message;
    const into =
      "INSERT INTO relay_messages (user, message_id, thread_id, sender, target, at, message)";
    const values = [this.#user, messageId, threadId, from, to, at, JSON.stringify(message)];
    this.#file.change(`${into} VALUES (?, ?, ?, ?, ?, ?, ?)`, ...values);
    this.#messages += 1;
    if (this.#messages % TRIM_EVERY === 0) this.#trimMessages();
  }

  #addDelivery(delivery: StoredDelivery): void {
    const { names, values } = deliveryOf(delivery);
    const message = "(SELECT id FROM relay_messages WHERE user = ? AND message_id = ?)";
    const marks = names.map(() => "?").join(", ");
    const into = `INSERT INTO relay_deliveries (user, message, ${names.join(", ")})`;
    const own = [this.#user, this.#user, delivery.messageId];
    this.#file.change(`${into} VALUES (?, ${message}, ${marks})`, ...own, ...values);
  }

  #changeDelivery({ deliveryId, ...change }: DeliveryChange): void {
    const columns: [string, SQLInputValue | undefined][] = [
      ["state", change.state],
      ["reason", change.reason],
      ["detail", change.detail],
      ["attempts", change.attempts],
      ["history", change.history && JSON.stringify(change.history)],
      ["session_seq", change.sessionSeq ?? undefined],
    ];
    this.#update("relay_deliveries", columns, "delivery_id", deliveryId);
  }

  #addCrash(crash: CrashRecord): void {
    const into = "INSERT INTO relay_crashes (user, crash) VALUES (?, ?)";
    this.#file.change(into, this.#user, JSON.stringify(crash));
    const kept = "SELECT id FROM relay_crashes WHERE user = ? ORDER BY id DESC LIMIT 1 OFFSET ?";
    const forget = `DELETE FROM relay_crashes WHERE user = ? AND id <= (${kept})`;
    this.#file.change(forget, this.#user, this.#user, DEFAULTS.crashRecords);
    this.#total("crashes");
  }

  #saveContinuity(continuity: Continuity): void {
    const into = "INSERT OR REPLACE INTO relay_continuity VALUES (?, ?, ?)";
    const name = foldName(continuity.agentName);
    this.#file.change(into, this.#user, name, JSON.stringify(continuity));
  }

  #addEvents(events: readonly RelayEvent[]): void {
    for (const event of events) {
      const agent = "agent" in event ? foldName(event.agent) : null;
      const messageId = "messageId" in event ? event.messageId : null;
      const values = [this.#user, event.seq, event.type, agent, messageId, JSON.stringify(event)];
      this.#file.change("INSERT INTO relay_events VALUES (?, ?, ?, ?, ?, ?)", ...values);
      if (event.seq % TRIM_EVERY !== 0) continue;
      const forget = "DELETE FROM relay_events WHERE user = ? AND seq <= ?";
      this.#file.change(forget, this.#user, event.seq - DEFAULTS.relayEvents);
    }
  }

  /** The oldest that no agent waits for: a person who never reads keeps nothing alive. */
  #trimMessages(): void {
    const kept = "SELECT id FROM relay_messages WHERE user = ? ORDER BY id DESC LIMIT 1 OFFSET ?";
    const open = `SELECT d.message FROM relay_deliveries d WHERE d.user = ? AND d.agent_id IS NOT NULL AND ${OPEN}`;
    const forget = `DELETE FROM relay_messages WHERE user = ? AND id <= (${kept}) AND id NOT IN (${open})`;
    this.#file.change(forget, this.#user, this.#user, DEFAULTS.keptMessages, this.#user);
  }

  #total(name: "spawned" | "crashes" | "restarts"): void {
    const into = "INSERT INTO relay_totals VALUES (?, 0, 0, 0) ON CONFLICT DO NOTHING";
    this.#file.change(into, this.#user);
    this.#file.change(`UPDATE relay_totals SET ${name} = ${name} + 1 WHERE user = ?`, this.#user);
  }

  #update(
    table: string,
    columns: readonly [string, SQLInputValue | undefined][],
    key: string,
    id: string,
  ): void {
    const found = columns.flatMap(([name, value]) =>
      value === undefined ? [] : [{ name, value }],
    );
    const sets = found.map(({ name }) => `${name} = ?`).join(", ");
    const values = found.map(({ value }) => value);
    const sql = `UPDATE ${table} SET ${sets} WHERE user = ? AND ${key} = ?`;
    this.#file.change(sql, ...values, this.#user, id);
  }

  #entries(rows: Iterable<Record<string, unknown>>, maxBytes: number): InboxEntry[] {
    return within(rows, maxBytes, (row) => {
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

function textOf(row: Record<string, unknown>): { value: string; bytes: number } {
  const { text } = Text.parse(row);
  return { value: text, bytes: Buffer.byteLength(text) };
}
