import type { DatabaseSync } from "node:sqlite";

import * as z from "zod";

import type { GateMessage } from "./relay-gate.ts";

const Message = z.object({
  id: z.string(),
  to: z.string(),
  text: z.string(),
  from: z.string(),
  threadId: z.string().optional(),
  priority: z.number().optional(),
  data: z.record(z.string(), z.json()).optional(),
});
const Row = z.object({ message: z.string() });

const TABLE = `CREATE TABLE IF NOT EXISTS pending (
  id INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL,
  recipient TEXT NOT NULL,
  message TEXT NOT NULL,
  UNIQUE (event_id, recipient)
) STRICT`;

/** Messages that were accepted and no agent has, by event id and recipient: a killed broker leaves them to the next one. */
export class PendingMessages {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(TABLE);
  }

  /** Durable when it returns. */
  add(message: GateMessage, recipients: readonly string[]): void {
    const sql = "INSERT OR IGNORE INTO pending (event_id, recipient, message) VALUES (?, ?, ?)";
    const insert = this.#database.prepare(sql);
    for (const recipient of recipients)
      insert.run(message.id, fold(recipient), JSON.stringify(message));
  }

  /** An agent has it, or it is known that none will. */
  settle(eventId: string, recipient: string): void {
    const sql = "DELETE FROM pending WHERE event_id = ? AND recipient = ?";
    this.#database.prepare(sql).run(eventId, fold(recipient));
  }

  /** What waits for an agent of that name, oldest first. */
  of(recipient: string): GateMessage[] {
    const sql = "SELECT message FROM pending WHERE recipient = ? ORDER BY id";
    return this.#database
      .prepare(sql)
      .all(fold(recipient))
      .map((row) => messageOf(Row.parse(row).message));
  }
}

function messageOf(text: string): GateMessage {
  const { threadId, priority, data, ...rest } = Message.parse(JSON.parse(text));
  return {
    ...rest,
    ...(threadId === undefined ? {} : { threadId }),
    ...(priority === undefined ? {} : { priority }),
    ...(data === undefined ? {} : { data }),
  };
}

function fold(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
