/** Snapshots, and the disks of named VMs. */
export const SNAPSHOTS = `
CREATE TABLE snapshots (
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
) STRICT;
`;
