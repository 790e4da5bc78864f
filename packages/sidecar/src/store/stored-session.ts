import type { StoredSession, StoredTurn } from "@agentos/core";
import {
  Content,
  Json,
  SessionSpec,
  SessionState,
  SessionUsage,
  ToolResult,
  TurnSource,
} from "@agentos/protocol";
import * as z from "zod";

import type { SealedText } from "./sealed-text.ts";

const Row = z.object({
  key: z.string(),
  user: z.string(),
  vm_id: z.string(),
  spec: z.instanceof(Uint8Array),
  parent: z.string().nullable(),
  is_subagent: z.int(),
  created_at: z.string(),
  state: SessionState,
  agent_session_id: z.string().nullable(),
  agent_trace: z.string().nullable(),
  turns: z.int(),
  usage: z.string(),
  spent: z.string(),
  compactions: z.string(),
  last_response: z.string().nullable(),
  last_seq: z.int(),
  next_step: z.int(),
  woken: z.int(),
});

const Spent = z.object({ modelCalls: z.int(), toolTurns: z.int(), wallMs: z.number() });

const Trace = z.object({
  processId: z.string(),
  stdoutBytes: z.int(),
  openLines: z.array(z.string()),
  turnId: z.string().nullable(),
  memo: Json,
  results: z.array(ToolResult),
});

/** Throws where a column holds what no version wrote. */
export function readStoredSession(
  row: unknown,
  sealed: SealedText,
): { key: string; session: StoredSession } {
  const columns = Row.parse(row);
  const session: StoredSession = {
    user: columns.user,
    vmId: columns.vm_id,
    spec: SessionSpec.parse(JSON.parse(sealed.open(columns.spec))),
    parent: columns.parent ?? undefined,
    isSubagent: columns.is_subagent === 1,
    createdAt: columns.created_at,
    state: columns.state,
    agentSessionId: columns.agent_session_id,
    agentTrace: columns.agent_trace === null ? null : Trace.parse(JSON.parse(columns.agent_trace)),
    turns: columns.turns,
    usage: SessionUsage.parse(JSON.parse(columns.usage)),
    spent: Spent.parse(JSON.parse(columns.spent)),
    compactions: z.array(z.int()).parse(JSON.parse(columns.compactions)),
    lastResponse: columns.last_response,
    lastSeq: columns.last_seq,
    nextStep: columns.next_step,
    woken: columns.woken === 1,
  };
  return { key: columns.key, session };
}

const TurnRow = z.object({
  turn_id: z.string(),
  seq: z.int(),
  state: z.enum(["queued", "running"]),
  turn: z.string(),
});

const Turn = z.object({
  content: Content,
  source: TurnSource,
  resumeOnRateLimit: z.boolean(),
  fence: z.int(),
});

export function readStoredTurn(row: unknown): StoredTurn {
  const { turn_id: turnId, seq, state, turn } = TurnRow.parse(row);
  return { turnId, seq, state, ...Turn.parse(JSON.parse(turn)) };
}

/** What of a turn is no column of its own. */
export function turnText({ content, source, resumeOnRateLimit, fence }: StoredTurn): string {
  return JSON.stringify({ content, source, resumeOnRateLimit, fence });
}
