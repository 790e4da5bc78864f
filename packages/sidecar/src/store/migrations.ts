/** What makes an empty file the present store, step by step. A step is never changed once it was released. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (
     name TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT;
   CREATE TABLE vms (
     key TEXT PRIMARY KEY,
     user TEXT NOT NULL,
     spec BLOB NOT NULL,
     driver TEXT NOT NULL,
     record TEXT,
     fence INTEGER NOT NULL,
     created_at TEXT NOT NULL,
     started_ms REAL NOT NULL,
     processes_end_ms REAL
   ) STRICT;
   CREATE TABLE leases (
     vm_key TEXT NOT NULL REFERENCES vms (key) ON DELETE CASCADE,
     lease_id TEXT NOT NULL,
     user TEXT NOT NULL,
     fence INTEGER NOT NULL,
     holder TEXT NOT NULL,
     expires_ms REAL,
     PRIMARY KEY (vm_key, lease_id)
   ) STRICT;
   CREATE INDEX leases_by_holder ON leases (holder);`,
  `CREATE TABLE ended_vms (
     seq INTEGER PRIMARY KEY,
     key TEXT NOT NULL UNIQUE,
     user TEXT NOT NULL,
     vm_id TEXT NOT NULL,
     name TEXT,
     reason TEXT NOT NULL,
     detail TEXT
   ) STRICT;
   CREATE INDEX ended_vms_by_name ON ended_vms (user, name);`,
  `CREATE TABLE sessions (
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
   CREATE INDEX session_runtime_state_by_session ON session_runtime_state (session, id);`,
  `CREATE TABLE snapshots (
     key TEXT PRIMARY KEY,
     user TEXT NOT NULL,
     snapshot_id TEXT NOT NULL,
     name TEXT,
     vm_id TEXT NOT NULL,
     vm_name TEXT,
     driver TEXT NOT NULL,
     image TEXT NOT NULL,
     record TEXT NOT NULL,
     created_at TEXT NOT NULL
   ) STRICT;
   CREATE TABLE disks (
     user TEXT NOT NULL,
     name TEXT NOT NULL,
     driver TEXT NOT NULL,
     image TEXT NOT NULL,
     record TEXT NOT NULL,
     PRIMARY KEY (user, name)
   ) STRICT;`,
  `CREATE TABLE workflow_runs (
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
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE relay_agents (
     id INTEGER PRIMARY KEY,
     user TEXT NOT NULL,
     agent_id TEXT NOT NULL,
     folded_name TEXT NOT NULL,
     name TEXT NOT NULL,
     vm_id TEXT NOT NULL,
     spec BLOB NOT NULL,
     state TEXT NOT NULL,
     channels TEXT NOT NULL,
     model TEXT,
     restarts INTEGER NOT NULL,
     created_at INTEGER NOT NULL,
     UNIQUE (user, agent_id)
   ) STRICT;
   CREATE INDEX relay_agents_by_name ON relay_agents (user, folded_name, id);
   CREATE TABLE relay_messages (
     id INTEGER PRIMARY KEY,
     user TEXT NOT NULL,
     message_id TEXT NOT NULL,
     thread_id TEXT NOT NULL,
     sender TEXT NOT NULL,
     target TEXT NOT NULL,
     at INTEGER NOT NULL,
     message TEXT NOT NULL,
     UNIQUE (user, message_id)
   ) STRICT;
   CREATE INDEX relay_messages_by_thread ON relay_messages (user, thread_id, id);
   CREATE TABLE relay_deliveries (
     id INTEGER PRIMARY KEY,
     user TEXT NOT NULL,
     delivery_id TEXT NOT NULL,
     message INTEGER NOT NULL REFERENCES relay_messages (id) ON DELETE CASCADE,
     recipient TEXT NOT NULL,
     folded_recipient TEXT NOT NULL,
     agent_id TEXT,
     state TEXT NOT NULL,
     reason TEXT,
     detail TEXT,
     attempts INTEGER NOT NULL,
     history TEXT NOT NULL,
     priority INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     accepted_at INTEGER NOT NULL,
     session_seq INTEGER,
     UNIQUE (user, delivery_id)
   ) STRICT;
   CREATE INDEX relay_deliveries_by_message ON relay_deliveries (message);
   CREATE INDEX relay_deliveries_open ON relay_deliveries (user, agent_id, id)
     WHERE state IN ('accepted', 'queued', 'handed_over', 'consumed');
   CREATE INDEX relay_deliveries_dead ON relay_deliveries (user, id) WHERE state = 'dead_lettered';
   CREATE INDEX relay_deliveries_by_recipient ON relay_deliveries (user, folded_recipient, id);
   CREATE TABLE relay_events (
     user TEXT NOT NULL,
     seq INTEGER NOT NULL,
     type TEXT NOT NULL,
     agent TEXT,
     message_id TEXT,
     event TEXT NOT NULL,
     PRIMARY KEY (user, seq)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE relay_crashes (
     id INTEGER PRIMARY KEY,
     user TEXT NOT NULL,
     crash TEXT NOT NULL
   ) STRICT;
   CREATE INDEX relay_crashes_by_user ON relay_crashes (user, id);
   CREATE TABLE relay_continuity (
     user TEXT NOT NULL,
     folded_name TEXT NOT NULL,
     continuity TEXT NOT NULL,
     PRIMARY KEY (user, folded_name)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE relay_totals (
     user TEXT PRIMARY KEY,
     spawned INTEGER NOT NULL,
     crashes INTEGER NOT NULL,
     restarts INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE images (
     user TEXT NOT NULL,
     name TEXT NOT NULL,
     driver TEXT NOT NULL,
     source TEXT NOT NULL,
     record TEXT NOT NULL,
     created_at TEXT NOT NULL,
     PRIMARY KEY (user, name)
   ) STRICT;`,
  // Undefined: the one that it was created with.
  `ALTER TABLE vms ADD COLUMN network TEXT;`,
];
