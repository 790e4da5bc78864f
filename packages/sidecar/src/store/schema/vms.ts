/** The store's own facts, VMs and the leases on them. */
export const VMS = `
CREATE TABLE meta (
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
CREATE INDEX leases_by_holder ON leases (holder);
`;

/** VMs that have ended, as long as somebody may ask. */
export const ENDED_VMS = `
CREATE TABLE ended_vms (
  seq INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,
  vm_id TEXT NOT NULL,
  name TEXT,
  reason TEXT NOT NULL,
  detail TEXT
) STRICT;
CREATE INDEX ended_vms_by_name ON ended_vms (user, name);
`;

/** The network policy that was set. NULL: the one that the VM was created with. */
export const VM_NETWORKS = `
ALTER TABLE vms ADD COLUMN network TEXT;
`;
