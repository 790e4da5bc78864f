import type {
  AgentChange,
  DeliveryChange,
  RelayWrite,
  StoredAgent,
  StoredDelivery,
} from "@agentos/core";
import {
  type Continuity,
  type CrashRecord,
  DEFAULTS,
  foldName,
  type RelayEvent,
  type RelayMessage,
} from "@agentos/protocol";
import type { SQLInputValue } from "node:sqlite";

import { deliveryOf, OPEN } from "./relay-queries.ts";
import type { SealedText } from "./sealed-text.ts";
import type { StateFile } from "./state-file.ts";

/** Between two looks for what is too old to be kept. */
const TRIM_EVERY = 1_024;

/** What one user's relay writes into the pool's state file, and what is forgotten with it. */
export class RelayWriter {
  readonly #file: StateFile;
  readonly #sealed: SealedText;
  readonly #user: string;
  #messages = 0;

  constructor(file: StateFile, sealed: SealedText, user: string) {
    this.#file = file;
    this.#sealed = sealed;
    this.#user = user;
  }

  /** Inside of a transaction. */
  apply(write: RelayWrite): void {
    if (write.addAgent !== undefined) this.#addAgent(write.addAgent);
    if (write.changeAgent !== undefined) this.#changeAgent(write.changeAgent);
    for (const message of write.addMessages ?? []) this.#addMessage(message);
    for (const delivery of write.addDeliveries ?? []) this.#addDelivery(delivery);
    for (const change of write.changeDeliveries ?? []) this.#changeDelivery(change);
    if (write.addCrash !== undefined) this.#addCrash(write.addCrash);
    if (write.saveContinuity !== undefined) this.#saveContinuity(write.saveContinuity);
    this.#addEvents(write.events ?? []);
  }

  #addAgent(agent: StoredAgent): void {
    const spec = this.#sealed.seal(JSON.stringify(agent.spec));
    const into = `INSERT INTO relay_agents (user, agent_id, folded_name, name, vm_id, spec, state, channels, model, restarts, held, created_at)`;
    const { agentId, name, vmId, state, channels, model, restarts, held, createdAt } = agent;
    const values = [this.#user, agentId, foldName(name), name, vmId, spec, state];
    const more = [JSON.stringify(channels), model, restarts, held ? 1 : 0, createdAt];
    this.#file.change(`${into} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, ...values, ...more);
    this.#total("spawned");
  }

  #changeAgent({ agentId, change }: { agentId: string; change: AgentChange }): void {
    const columns: [string, SQLInputValue | undefined][] = [
      ["state", change.state],
      ["channels", change.channels && JSON.stringify(change.channels)],
      ["model", change.model],
      ["restarts", change.restarts],
      ["held", change.held === undefined ? undefined : Number(change.held)],
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
}
