/** Runs of workflows. */
export const WORKFLOWS = `
CREATE TABLE workflow_runs (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,
  run_id TEXT NOT NULL,
  vm_id TEXT NOT NULL,
  facts TEXT NOT NULL,
  recipe BLOB NOT NULL,
  status TEXT NOT NULL,
  finished INTEGER NOT NULL,
  error TEXT,
  created_at TEXT NOT NULL,
  ended_at TEXT,
  last_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX workflow_runs_by_user ON workflow_runs (user, id);
CREATE TABLE workflow_steps (
  run INTEGER NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  step TEXT NOT NULL,
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE workflow_events (
  run INTEGER NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  event TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
`;
