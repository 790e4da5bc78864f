import type { StateFile } from "./state-file.ts";
import {
  readStoredDisk,
  readStoredImage,
  readStoredSnapshot,
  type StoredDisk,
  type StoredImage,
  type StoredSnapshot,
} from "./stored-snapshot.ts";

/** The rows of snapshots and of named VMs' disks. What is in none of them may be removed from disk. */
export class SnapshotStore {
  readonly #file: StateFile;

  constructor(file: StateFile) {
    this.#file = file;
  }

  /** Throws where a row can't be read: then nothing may be removed. */
  all(): StoredSnapshot[] {
    return this.#file.all("SELECT * FROM snapshots ORDER BY created_at").map(readStoredSnapshot);
  }

  add(snapshot: StoredSnapshot): void {
    const { key, user, snapshotId, name, vmId, vmName, driver, image, record, createdAt } =
      snapshot;
    this.#file.run(
      `INSERT INTO snapshots (key, user, snapshot_id, name, vm_id, vm_name, driver, image, record, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      key,
      user,
      snapshotId,
      name ?? null,
      vmId,
      vmName ?? null,
      driver,
      image,
      JSON.stringify(record),
      createdAt,
    );
  }

  remove(key: string): void {
    this.#file.run("DELETE FROM snapshots WHERE key = ?", key);
  }

  /** Throws where a row can't be read. */
  disks(): StoredDisk[] {
    return this.#file.all("SELECT * FROM disks").map(readStoredDisk);
  }

  disk(user: string, name: string): StoredDisk | undefined {
    const sql = "SELECT * FROM disks WHERE user = ? AND name = ?";
    const [row] = this.#file.all(sql, user, name);
    return row === undefined ? undefined : readStoredDisk(row);
  }

  putDisk({ user, name, driver, image, record }: StoredDisk): void {
    const sql =
      "INSERT OR REPLACE INTO disks (user, name, driver, image, record) VALUES (?, ?, ?, ?, ?)";
    this.#file.run(sql, user, name, driver, image, JSON.stringify(record));
  }

  /** False: there was none. */
  removeDisk(user: string, name: string): boolean {
    return this.#file.run("DELETE FROM disks WHERE user = ? AND name = ?", user, name) > 0;
  }

  /** Of one user, or of all. Throws where a row can't be read. */
  images(user?: string): StoredImage[] {
    const all = this.#file.all("SELECT * FROM images ORDER BY name").map(readStoredImage);
    return user === undefined ? all : all.filter((image) => image.user === user);
  }

  image(user: string, name: string): StoredImage | undefined {
    const sql = "SELECT * FROM images WHERE user = ? AND name = ?";
    const [row] = this.#file.all(sql, user, name);
    return row === undefined ? undefined : readStoredImage(row);
  }

  addImage({ user, name, driver, source, record, createdAt }: StoredImage): void {
    const sql = `INSERT INTO images (user, name, driver, source, record, created_at)
       VALUES (?, ?, ?, ?, ?, ?)`;
    this.#file.run(sql, user, name, driver, source, JSON.stringify(record), createdAt);
  }

  removeImage(user: string, name: string): void {
    this.#file.run("DELETE FROM images WHERE user = ? AND name = ?", user, name);
  }
}
