/** Sessions, with their transcripts, turns and requests. */
export const SESSIONS = `
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,
  vm_id TEXT NOT NULL,
  spec BLOB NOT NULL,
  parent TEXT,
  is_subagent INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  state TEXT NOT NULL,
  agent_session_id TEXT,
  turns INTEGER NOT NULL,
  usage TEXT NOT NULL,
  spent TEXT NOT NULL,
  compactions TEXT NOT NULL,
  last_response TEXT,
  last_seq INTEGER NOT NULL,
  next_step INTEGER NOT NULL,
  woken INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user);
CREATE TABLE session_events (
  session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  event TEXT NOT NULL,
  PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE session_steps (
  session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  step_index INTEGER NOT NULL,
  step TEXT NOT NULL,
  PRIMARY KEY (session, step_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE session_turns (
  id INTEGER PRIMARY KEY,
  session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  turn_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  state TEXT NOT NULL,
  turn TEXT,
  UNIQUE (session, turn_id)
) STRICT;
CREATE TABLE session_requests (
  id INTEGER PRIMARY KEY,
  session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  request_id TEXT NOT NULL,
  request TEXT,
  outcome TEXT,
  UNIQUE (session, request_id)
) STRICT;
CREATE TABLE session_runtime_state (
  id INTEGER PRIMARY KEY,
  session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  entry TEXT NOT NULL
) STRICT;
CREATE INDEX session_runtime_state_by_session ON session_runtime_state (session, id);
`;

/** Where their agents' programs are. */
export const AGENT_TRACES = "ALTER TABLE sessions ADD COLUMN agent_trace TEXT";

/** Answers to requests of an earlier life wait for their agent to ask again. */
export const KEPT_ANSWERS = "ALTER TABLE session_requests ADD COLUMN answer TEXT;";

/** What their transcripts have, so that all of them can be held within a bound. */
export const TRANSCRIPT_BYTES = `
ALTER TABLE sessions ADD COLUMN event_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET event_bytes =
  (SELECT coalesce(sum(octet_length(event)), 0) FROM session_events WHERE session = sessions.id);
`;
