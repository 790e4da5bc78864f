import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOsError, PROTOCOL_VERSION } from "@agentos/protocol";

/** A unix socket's path has 107 bytes; this much of it is left to what a sidecar puts into its folder. */
const FOLDER_MAX_BYTES = 67;
const HASH_CHARACTERS = 12;

/** Where sockets and discovery files go: the option, AGENTOS_RUNTIME_DIR, XDG_RUNTIME_DIR/agentos, else a folder of this user below the temporary one. */
export function runtimeDirectory(option: string | undefined): string {
  const set = option ?? given("AGENTOS_RUNTIME_DIR");
  if (set !== undefined) return set;
  const xdg = given("XDG_RUNTIME_DIR");
  // Not userInfo(): a user need not be in the password file.
  const user = process.geteuid?.() ?? "user";
  return xdg === undefined ? join(tmpdir(), `agentos-${user}`) : join(xdg, "agentos");
}

/** Where durable state goes: the option, AGENTOS_STATE_DIR, XDG_STATE_HOME/agentos, else ~/.local/state/agentos. */
export function stateDirectory(option: string | undefined): string {
  const set = option ?? given("AGENTOS_STATE_DIR");
  if (set !== undefined) return set;
  return join(given("XDG_STATE_HOME") ?? join(homedir(), ".local", "state"), "agentos");
}

/** The folder of one pool or one explicit sidecar, the same for every program of the user that speaks this protocol. */
export function sidecarFolder(kind: "pool" | "explicit", name: string): string {
  const hash = createHash("sha256").update(`${kind}\0${name}\0${PROTOCOL_VERSION}`).digest("hex");
  return `${kind === "pool" ? "p" : "x"}-${hash.slice(0, HASH_CHARACTERS)}`;
}

/** Makes `folder` below `base`, both 0700. Rejects where one is another user's, open to others, or too long for a socket. */
export async function prepareFolder(base: string, folder: string): Promise<string> {
  const path = join(base, folder);
  const length = Buffer.byteLength(path);
  if (length > FOLDER_MAX_BYTES) {
    throw refused(
      path,
      `a path of at most ${FOLDER_MAX_BYTES} bytes, for a socket's has 107`,
      `${length} bytes`,
    );
  }
  await mkdir(base, { recursive: true, mode: 0o700 });
  await assertPrivate(base);
  await mkdir(path, { recursive: true, mode: 0o700 });
  await assertPrivate(path);
  return path;
}

async function assertPrivate(path: string): Promise<void> {
  const stat = await lstat(path);
  if (!stat.isDirectory()) throw refused(path, "a directory", "something else");
  const uid = process.getuid?.();
  if (uid !== undefined && stat.uid !== uid) {
    throw refused(path, `a directory of user ${uid}`, `one of user ${stat.uid}`);
  }
  if ((stat.mode & 0o077) !== 0) {
    throw refused(path, "mode 0700", `mode 0${(stat.mode & 0o777).toString(8)}`);
  }
}

function given(name: string): string | undefined {
  const value = process.env[name];
  return value === undefined || value === "" ? undefined : value;
}

function refused(path: string, expected: string, actual: string): AgentOsError {
  return new AgentOsError(
    "INVALID_ARGUMENT",
    `runtime directory ${path}: expected ${expected}, got ${actual}`,
    {
      argument: "runtimeDirectory",
      expected,
      actual,
    },
  );
}
