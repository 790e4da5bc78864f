import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { AgentOsError, PROTOCOL_VERSION } from "@agentos/protocol";

/** A unix socket's path has 107 bytes; the rest of it is for what a sidecar puts below. */
const RUNTIME_MAX_BYTES = 52;
const HASH_CHARACTERS = 12;

type Environment = Readonly<Record<string, string | undefined>>;

/** Where sockets and discovery files go: the option, AGENTOS_RUNTIME_DIR, XDG_RUNTIME_DIR/agentos, else a folder of this user below the temporary one. */
export function runtimeDirectory(option?: string, env: Environment = process.env): string {
  const set = option ?? given(env, "AGENTOS_RUNTIME_DIR");
  if (set !== undefined) return set;
  const xdg = given(env, "XDG_RUNTIME_DIR");
  // Not userInfo(): a user need not be in the password file.
  const user = process.geteuid?.() ?? "user";
  return xdg === undefined ? join(tmpdir(), `agentos-${user}`) : join(xdg, "agentos");
}

/** Where durable state goes: the option, AGENTOS_STATE_DIR, XDG_STATE_HOME/agentos, else ~/.local/state/agentos. */
export function stateDirectory(option?: string, env: Environment = process.env): string {
  const set = option ?? given(env, "AGENTOS_STATE_DIR");
  if (set !== undefined) return set;
  return join(given(env, "XDG_STATE_HOME") ?? join(homedir(), ".local", "state"), "agentos");
}

/** The folder of one pool or one explicit sidecar, the same for every program of the user that speaks this protocol. */
export function sidecarFolder(kind: "pool" | "explicit", name: string): string {
  const hash = createHash("sha256").update(`${kind}\0${name}\0${PROTOCOL_VERSION}`).digest("hex");
  return `${kind === "pool" ? "p" : "x"}-${hash.slice(0, HASH_CHARACTERS)}`;
}

/** Makes `folder` below `base`, both 0700. Rejects as `prepareRuntimeDirectory` does. */
export async function prepareFolder(base: string, folder: string): Promise<string> {
  await prepareRuntimeDirectory(base);
  const path = join(base, folder);
  await makePrivate(path);
  return path;
}

/** Makes the directory, mode 0700, with its parents. Rejects with `INVALID_ARGUMENT` where that can't be done, or where it is another user's, open to others, or too long for a socket. */
export async function prepareRuntimeDirectory(path: string): Promise<void> {
  const length = Buffer.byteLength(path);
  if (length > RUNTIME_MAX_BYTES) {
    throw refused(path, `a path of at most ${RUNTIME_MAX_BYTES} bytes`, `${length} bytes`);
  }
  await makePrivate(path);
}

async function makePrivate(path: string): Promise<void> {
  try {
    await makeWithParents(path);
  } catch (cause) {
    const actual = cause instanceof Error ? cause.message : String(cause);
    throw refused(path, "a directory that can be made", actual, cause);
  }
  await assertPrivate(path);
}

/** Makes a directory, mode 0700, and its parents; one that is there already will do. Not `recursive`: where a parent can't be made, as in /proc, Node's own tries for ever. */
export async function makeWithParents(path: string): Promise<void> {
  const code = await make(path).then(() => undefined, codeOf);
  if (code === undefined) return;
  if (code === "ENOENT" && dirname(path) !== path) await makeWithParents(dirname(path));
  await make(path);
}

async function make(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    // Whether what is there will do is another question.
    if (codeOf(error) !== "EEXIST") throw error;
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : "unknown";
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

function given(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === undefined || value === "" ? undefined : value;
}

function refused(
  path: string,
  expected: string,
  actual: string,
  cause?: unknown,
): AgentOsError<"INVALID_ARGUMENT"> {
  return new AgentOsError(
    "INVALID_ARGUMENT",
    `runtime directory ${path}: expected ${expected}, got ${actual}`,
    { argument: "runtimeDirectory", expected, actual },
    { cause },
  );
}
