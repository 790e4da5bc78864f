import type {
  SessionBatch,
  SessionStore,
  SessionWrite,
  StoredSession,
  StoredTurn,
} from "@agentos/core";
import {
  AgentOsError,
  Json,
  PendingRequest,
  RequestAnswer,
  RequestOutcome,
  SessionEvent,
  Step,
} from "@agentos/protocol";
import * as z from "zod";

import { textsWithin } from "./rows-within.ts";
import type { SealedText } from "./sealed-text.ts";
import { sessionColumns } from "./session-columns.ts";
import { SessionWriter } from "./session-writer.ts";
import type { StateFile } from "./state-file.ts";
import { readStoredSession, readStoredTurn } from "./stored-session.ts";

const Id = z.object({ id: z.int() });
const Text = z.object({ text: z.string() });
const Transcript = z.object({ key: z.string(), bytes: z.int() });
const IS_OPEN = "state NOT IN ('closed', 'failed', 'deleted')";
const KeptAnswer = z.object({ request: z.string(), answer: z.string() });

/** Sessions in the pool's state file. */
export class SqliteSessionStore implements SessionStore {
  readonly #file: StateFile;
  readonly #sealed: SealedText;
  readonly #writer: SessionWriter;
  /** Row ids by key. */
  readonly #ids = new Map<string, number>();

  constructor(file: StateFile, sealed: SealedText) {
    this.#file = file;
    this.#sealed = sealed;
    this.#writer = new SessionWriter(file, sealed);
  }

  together<T>(work: () => T): T {
    return this.#file.transact(work);
  }

  add(key: string, session: StoredSession): void {
    const columns = sessionColumns(session, this.#sealed);
    const values = [key, session.user, session.createdAt, session.lastSeq, ...columns.values];
    const names = ["key", "user", "created_at", "last_seq", ...columns.names];
    const marks = names.map(() => "?").join(", ");
    this.#file.run(`INSERT INTO sessions (${names.join(", ")}) VALUES (${marks})`, ...values);
  }

  copy(from: string, key: string, session: StoredSession): void {
    this.#file.transact(() => {
      this.add(key, session);
      const ids = [this.#id(key), this.#id(from)];
      for (const [table, columns, rest] of COPIED) {
        const into = `INSERT INTO ${table} (session, ${columns}) SELECT ?, ${columns} FROM ${table}`;
        this.#file.change(`${into} WHERE session = ? ${rest}`, ...ids);
      }
      const bytes = "(SELECT event_bytes FROM sessions WHERE id = ?)";
      this.#file.change(
        `UPDATE sessions SET event_bytes = ${bytes} WHERE id = ?`,
        ...ids.toReversed(),
      );
    });
  }

  write(key: string, write: SessionWrite): void {
    this.#file.transact(() => this.#writer.write(this.#id(key), write));
  }

  writeAll(writes: readonly { key: string; write: SessionWrite }[]): void {
    if (writes.length === 0) return;
    this.#file.transact(() => {
      for (const { key, write } of writes) this.#writer.write(this.#id(key), write);
    });
  }

  remove(key: string): void {
    this.#ids.delete(key);
    this.#file.run("DELETE FROM sessions WHERE key = ?", key);
  }

  find(key: string): StoredSession | undefined {
    const [row] = this.#file.all("SELECT * FROM sessions WHERE key = ?", key);
    return row === undefined ? undefined : readStoredSession(row, this.#sealed).session;
  }

  list(user: string): { key: string; session: StoredSession }[] {
    const rows = this.#file.all("SELECT * FROM sessions WHERE user = ? ORDER BY id", user);
    return rows.flatMap((row) => this.#readable(row));
  }

  open(): { key: string; session: StoredSession }[] {
    const rows = this.#file.all(`SELECT * FROM sessions WHERE ${IS_OPEN} ORDER BY id`);
    return rows.flatMap((row) => this.#readable(row));
  }

  turns(key: string): StoredTurn[] {
    const select = "SELECT * FROM session_turns WHERE session = ? AND turn IS NOT NULL ORDER BY id";
    return this.#file.all(select, this.#id(key)).map(readStoredTurn);
  }

  turnSeq(key: string, turnId: string): number | undefined {
    const select = "SELECT seq AS id FROM session_turns WHERE session = ? AND turn_id = ?";
    const [row] = this.#file.all(select, this.#id(key), turnId);
    return row === undefined ? undefined : Id.parse(row).id;
  }

  events(key: string, batch: SessionBatch): SessionEvent[] {
    const select = "SELECT event AS text FROM session_events WHERE session = ? AND seq > ?";
    const texts = this.#batch(`${select} ORDER BY seq LIMIT ?`, key, batch);
    return texts.map((text) => SessionEvent.parse(JSON.parse(text)));
  }

  transcriptBytes(user: string): number {
    const sum = "SELECT coalesce(sum(event_bytes), 0) AS id FROM sessions WHERE user = ?";
    return Id.parse(this.#file.all(sum, user)[0]).id;
  }

  closedTranscripts(user: string): { key: string; bytes: number }[] {
    const where = `user = ? AND NOT (${IS_OPEN}) ORDER BY id`;
    const select = `SELECT key, event_bytes AS bytes FROM sessions WHERE ${where}`;
    return this.#file.all(select, user).map((row) => Transcript.parse(row));
  }

  steps(key: string, batch: SessionBatch): Step[] {
    const select = "SELECT step AS text FROM session_steps WHERE session = ? AND step_index > ?";
    const texts = this.#batch(`${select} ORDER BY step_index LIMIT ?`, key, batch);
    return texts.map((text) => Step.parse(JSON.parse(text)));
  }

  requests(key: string): PendingRequest[] {
    const where = "WHERE session = ? AND request IS NOT NULL AND answer IS NULL ORDER BY id";
    const rows = this.#file.all(
      `SELECT request AS text FROM session_requests ${where}`,
      this.#id(key),
    );
    return rows.map((row) => PendingRequest.parse(JSON.parse(Text.parse(row).text)));
  }

  keptAnswers(key: string): { request: PendingRequest; answer: RequestAnswer }[] {
    const where = "WHERE session = ? AND answer IS NOT NULL ORDER BY id";
    return this.#file
      .all(`SELECT request, answer FROM session_requests ${where}`, this.#id(key))
      .map((row) => {
        const { request, answer } = KeptAnswer.parse(row);
        return {
          request: PendingRequest.parse(JSON.parse(request)),
          answer: RequestAnswer.parse(JSON.parse(answer)),
        };
      });
  }

  outcome(key: string, requestId: string): RequestOutcome | undefined {
    const select = "SELECT outcome FROM session_requests WHERE session = ? AND request_id = ?";
    const [row] = this.#file.all(select, this.#id(key), requestId);
    return RequestOutcome.nullish().parse(row?.["outcome"]) ?? undefined;
  }

  runtimeState(key: string): Json[] {
    const select = "SELECT entry AS text FROM session_runtime_state WHERE session = ? ORDER BY id";
    return this.#file
      .all(select, this.#id(key))
      .map((row) => Json.parse(JSON.parse(Text.parse(row).text)));
  }

  appendRuntimeState(key: string, entries: readonly Json[]): void {
    this.#file.transact(() => this.#writer.addState(this.#id(key), entries));
  }

  replaceRuntimeState(key: string, entries: readonly Json[]): void {
    this.#file.transact(() => {
      const id = this.#id(key);
      this.#file.change("DELETE FROM session_runtime_state WHERE session = ?", id);
      this.#writer.addState(id, entries);
    });
  }

  #batch(sql: string, key: string, { after, limit, maxBytes }: SessionBatch): string[] {
    return textsWithin(this.#file.rows(sql, this.#id(key), after, limit), maxBytes);
  }

  #id(key: string): number {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const [row] = this.#file.all("SELECT id FROM sessions WHERE key = ?", key);
    if (row === undefined) {
      const reason = "a session that is not stored was written or read";
      throw new AgentOsError("INTERNAL", reason, { reason });
    }
    const { id } = Id.parse(row);
    this.#ids.set(key, id);
    return id;
  }

  /** Sealed with a key that is gone: nobody can go on with it. */
  #readable(row: Record<string, unknown>): { key: string; session: StoredSession }[] {
    try {
      return [readStoredSession(row, this.#sealed)];
    } catch {
      // The list of the others is worth more than an error about this one.
      return [];
    }
  }
}

/** What a fork has too. Its row ids are its own, in the same order. */
const COPIED = [
  ["session_events", "seq, event", ""],
  ["session_steps", "step_index, step", ""],
  ["session_turns", "turn_id, seq, state, turn", "AND turn IS NULL ORDER BY id"],
  ["session_runtime_state", "entry", "ORDER BY id"],
] as const;
