import type { SessionWrite } from "@agentos/core";
import type { Json } from "@agentos/protocol";
import * as z from "zod";

import { BOUNDS } from "../bounds.ts";
import type { SealedText } from "./sealed-text.ts";
import { sessionColumns } from "./session-columns.ts";
import type { StateFile } from "./state-file.ts";
import { turnText } from "./stored-session.ts";

const Sum = z.object({ sum: z.int() });

/** Writes what has changed of a session into the rows that it has. */
export class SessionWriter {
  readonly #file: StateFile;
  readonly #sealed: SealedText;

  constructor(file: StateFile, sealed: SealedText) {
    this.#file = file;
    this.#sealed = sealed;
  }

  /** Within a transaction of its caller. */
  write(id: number, write: SessionWrite): void {
    const bytes = this.#changeEvents(id, write);
    this.#addSteps(id, write);
    this.#changeTurns(id, write);
    this.#changeRequests(id, write);
    const lastSeq = write.events?.at(-1)?.seq;
    const { names, values } = sessionColumns(write.change ?? {}, this.#sealed);
    const always = ["last_seq = coalesce(?, last_seq)", "event_bytes = event_bytes + ?"];
    const sets = [...names.map((name) => `${name} = ?`), ...always];
    const set = `UPDATE sessions SET ${sets.join(", ")} WHERE id = ?`;
    this.#file.change(set, ...values, lastSeq ?? null, bytes, id);
  }

  /** By how many bytes the transcript has grown. */
  #changeEvents(id: number, { events = [], dropEventsTo }: SessionWrite): number {
    let bytes = 0;
    if (dropEventsTo !== undefined) {
      const where = "FROM session_events WHERE session = ? AND seq <= ?";
      const sum = `SELECT coalesce(sum(octet_length(event)), 0) AS sum ${where}`;
      bytes -= Sum.parse(this.#file.all(sum, id, dropEventsTo)[0]).sum;
      this.#file.change(`DELETE ${where}`, id, dropEventsTo);
    }
    for (const event of events) {
      const text = JSON.stringify(event);
      this.#file.change("INSERT INTO session_events VALUES (?, ?, ?)", id, event.seq, text);
      bytes += Buffer.byteLength(text);
    }
    return bytes;
  }

  #addSteps(id: number, { steps = [], dropStepsBefore = 0 }: SessionWrite): void {
    for (const step of steps) {
      const values = [id, step.index, JSON.stringify(step)];
      this.#file.change("INSERT INTO session_steps VALUES (?, ?, ?)", ...values);
    }
    const drop = "DELETE FROM session_steps WHERE session = ? AND step_index < ?";
    if (dropStepsBefore > 0) this.#file.change(drop, id, dropStepsBefore);
  }

  #changeTurns(id: number, { addTurn, runTurn, endTurn }: SessionWrite): void {
    if (addTurn !== undefined) {
      const { turnId, seq, state } = addTurn;
      const values = [id, turnId, seq, state, turnText(addTurn)];
      const into = "INSERT INTO session_turns (session, turn_id, seq, state, turn)";
      this.#file.change(`${into} VALUES (?, ?, ?, ?, ?)`, ...values);
    }
    const where = "WHERE session = ? AND turn_id = ?";
    if (runTurn !== undefined)
      this.#file.change(`UPDATE session_turns SET state = 'running' ${where}`, id, runTurn);
    if (endTurn === undefined) return;
    const set = "UPDATE session_turns SET state = 'ended', turn = NULL";
    this.#file.change(`${set} ${where}`, id, endTurn);
    const kept = `SELECT id FROM session_turns WHERE session = ? ORDER BY id DESC LIMIT 1 OFFSET ?`;
    const forget = `DELETE FROM session_turns WHERE session = ? AND turn IS NULL AND id <= (${kept})`;
    this.#file.change(forget, id, id, BOUNDS.knownTurnsPerSession);
  }

  #changeRequests(id: number, write: SessionWrite): void {
    const { openRequest, settleRequest, dropAnswer } = write;
    const where = "WHERE session = ? AND request_id = ?";
    if (openRequest !== undefined) {
      const into = "INSERT INTO session_requests (session, request_id, request) VALUES (?, ?, ?)";
      this.#file.change(into, id, openRequest.requestId, JSON.stringify(openRequest));
    }
    if (dropAnswer !== undefined) {
      const set = "UPDATE session_requests SET request = NULL, answer = NULL";
      this.#file.change(`${set} ${where}`, id, dropAnswer);
    }
    if (settleRequest === undefined) return;
    const { requestId, outcome, answer } = settleRequest;
    if (answer === undefined) {
      const set = "UPDATE session_requests SET request = NULL, outcome = ?";
      this.#file.change(`${set} ${where}`, outcome, id, requestId);
    } else {
      const set = "UPDATE session_requests SET outcome = ?, answer = ?";
      this.#file.change(`${set} ${where}`, outcome, JSON.stringify(answer), id, requestId);
    }
  }

  /** Within a transaction of its caller. */
  addState(id: number, entries: readonly Json[]): void {
    const into = "INSERT INTO session_runtime_state (session, entry) VALUES (?, ?)";
    for (const entry of entries) this.#file.change(into, id, JSON.stringify(entry));
  }
}
