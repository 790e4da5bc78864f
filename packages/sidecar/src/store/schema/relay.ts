/** Agents by name, their messages and deliveries. */
export const RELAY = `
CREATE TABLE relay_agents (
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
) STRICT, WITHOUT ROWID;
`;

/** Whether an agent's mail stays in its mailbox. */
export const RELAY_HELD = `
ALTER TABLE relay_agents ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
`;
