import type {
  ListedWorkflowRun,
  StoredWorkflowRun,
  StoredWorkflowStep,
  WorkflowRunChange,
  WorkflowStore,
  WorkflowWrite,
} from "@agentos/core";
import { AgentOsError, WorkflowEvent } from "@agentos/protocol";
import * as z from "zod";

import { type Columns, columnsOf } from "./columns.ts";
import { textsWithin } from "./rows-within.ts";
import type { SealedText } from "./sealed-text.ts";
import type { StateFile } from "./state-file.ts";
import { readListedRun, readStoredRun, readStoredStep, recipeText } from "./stored-workflow.ts";

const RowId = z.object({ id: z.int() });
const Text = z.object({ text: z.string() });

/** Workflow runs in the pool's state file. */
export class SqliteWorkflowStore implements WorkflowStore {
  readonly #file: StateFile;
  readonly #sealed: SealedText;

  constructor(file: StateFile, sealed: SealedText) {
    this.#file = file;
    this.#sealed = sealed;
  }

  add(key: string, run: StoredWorkflowRun): void {
    const { user, runId, vmId, facts, status, finished, error, createdAt, endedAt, lastSeq } = run;
    const recipe = this.#sealed.seal(recipeText(run));
    const values = [key, user, runId, vmId, JSON.stringify(facts), recipe, status, finished];
    const columns =
      "key, user, run_id, vm_id, facts, recipe, status, finished, error, created_at, ended_at, last_seq";
    const into = `INSERT INTO workflow_runs (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    this.#file.run(into, ...values, error, createdAt, endedAt, lastSeq);
  }

  write(key: string, { events = [], change = {}, steps = [] }: WorkflowWrite): void {
    this.#file.transact(() => {
      const id = this.#id(key);
      for (const event of events) {
        const values = [id, event.seq, JSON.stringify(event)];
        this.#file.change("INSERT INTO workflow_events VALUES (?, ?, ?)", ...values);
      }
      for (const step of steps) {
        const values = [id, step.name, JSON.stringify(step)];
        this.#file.change("INSERT OR REPLACE INTO workflow_steps VALUES (?, ?, ?)", ...values);
      }
      const { names, values } = runColumns(change, events.at(-1)?.seq);
      if (names.length === 0) return;
      const set = names.map((name) => `${name} = ?`).join(", ");
      this.#file.change(`UPDATE workflow_runs SET ${set} WHERE id = ?`, ...values, id);
    });
  }

  remove(key: string): void {
    this.#file.run("DELETE FROM workflow_runs WHERE key = ?", key);
  }

  find(key: string): StoredWorkflowRun | undefined {
    const [row] = this.#file.all("SELECT * FROM workflow_runs WHERE key = ?", key);
    return row === undefined ? undefined : readStoredRun(row, this.#sealed).run;
  }

  list(user: string): { key: string; run: ListedWorkflowRun }[] {
    const select = "SELECT * FROM workflow_runs WHERE user = ? ORDER BY id DESC";
    return this.#file.all(select, user).map(readListedRun);
  }

  open(): { key: string; run: StoredWorkflowRun }[] {
    const where = "status IN ('pending', 'running', 'paused')";
    const rows = this.#file.all(`SELECT * FROM workflow_runs WHERE ${where} ORDER BY id`);
    return rows.flatMap((row) => this.#readable(row));
  }

  steps(key: string): StoredWorkflowStep[] {
    const select = "SELECT step AS text FROM workflow_steps WHERE run = ?";
    return this.#file.all(select, this.#id(key)).map((row) => readStoredStep(Text.parse(row).text));
  }

  events(
    key: string,
    { after, limit, maxBytes }: { after: number; limit: number; maxBytes: number },
  ): WorkflowEvent[] {
    const select = "SELECT event AS text FROM workflow_events WHERE run = ? AND seq > ?";
    const rows = this.#file.rows(`${select} ORDER BY seq LIMIT ?`, this.#id(key), after, limit);
    return textsWithin(rows, maxBytes).map((text) => WorkflowEvent.parse(JSON.parse(text)));
  }

  #id(key: string): number {
    const [row] = this.#file.all("SELECT id FROM workflow_runs WHERE key = ?", key);
    if (row !== undefined) return RowId.parse(row).id;
    const reason = "a workflow run that is not stored was written or read";
    throw new AgentOsError("INTERNAL", reason, { reason });
  }

  /** Sealed with a key that is gone: nobody can go on with it. */
  #readable(row: Record<string, unknown>): { key: string; run: StoredWorkflowRun }[] {
    try {
      return [readStoredRun(row, this.#sealed)];
    } catch {
      // The others are worth more than an error about this one.
      return [];
    }
  }
}

function runColumns(change: WorkflowRunChange, lastSeq: number | undefined): Columns {
  return columnsOf([
    ["vm_id", change.vmId],
    ["status", change.status],
    ["finished", change.finished],
    ["error", change.error],
    ["ended_at", change.endedAt],
    ["last_seq", lastSeq],
  ]);
}
