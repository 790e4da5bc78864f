import { lstat, mkdir, mkdtemp, rmdir } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A directory that sidecars keep files in, and whether they can. */
export interface DirectoryFinding {
  readonly path: string;
  readonly usable: boolean;
  /** Why not. */
  readonly reason?: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export type DirectoryFindings = Readonly<Record<"runtime" | "state", DirectoryFinding>>;

type Environment = Readonly<Record<string, string | undefined>>;
type Problem = Pick<Required<DirectoryFinding>, "reason" | "remedy">;

/** A socket's path has 107 bytes; this much of it is left for the runtime directory. */
const RUNTIME_MAX_BYTES = 52;

/** Where sidecars started from here keep their files, and whether that works. Makes them where they are missing, as the first sidecar would. */
export async function findDirectories(env: Environment): Promise<DirectoryFindings> {
  const [runtime, state] = await Promise.all([
    examine(runtimeDirectory(env), "AGENTOS_RUNTIME_DIR", runtimeProblem),
    examine(stateDirectory(env), "AGENTOS_STATE_DIR", async () => undefined),
  ]);
  return { runtime, state };
}

/** As the client finds it. */
function runtimeDirectory(env: Environment): string {
  const set = given(env, "AGENTOS_RUNTIME_DIR");
  if (set !== undefined) return set;
  const xdg = given(env, "XDG_RUNTIME_DIR");
  return xdg === undefined
    ? join(tmpdir(), `agentos-${process.geteuid?.() ?? "user"}`)
    : join(xdg, "agentos");
}

/** As the client finds it. */
function stateDirectory(env: Environment): string {
  const set = given(env, "AGENTOS_STATE_DIR");
  if (set !== undefined) return set;
  return join(given(env, "XDG_STATE_HOME") ?? join(homedir(), ".local", "state"), "agentos");
}

function given(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === "" ? undefined : value;
}

async function examine(
  path: string,
  variable: string,
  further: (path: string) => Promise<Problem | undefined>,
): Promise<DirectoryFinding> {
  const elsewhere = `set ${variable} to a directory that you can write to`;
  const reason = await writeProblem(path);
  const problem = reason === undefined ? await further(path) : { reason, remedy: elsewhere };
  return { path, usable: problem === undefined, ...problem };
}

/** Why nothing can be made in the directory, found by trying. */
async function writeProblem(path: string): Promise<string | undefined> {
  try {
    await makeWithParents(path);
    await rmdir(await mkdtemp(join(path, "doctor-")));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Not `recursive`: where a parent can't be made, as in /proc, Node's own tries for ever. */
async function makeWithParents(path: string): Promise<void> {
  const above = dirname(path);
  const code = await make(path);
  if (code === "EEXIST" || code === undefined) return;
  if (code === "ENOENT" && above !== path) await makeWithParents(above);
  await mkdir(path, { mode: 0o700 });
}

/** The error's code, where there is one. */
async function make(path: string): Promise<string | undefined> {
  try {
    await mkdir(path, { mode: 0o700 });
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** What a client refuses before it starts a sidecar. */
async function runtimeProblem(path: string): Promise<Problem | undefined> {
  const length = Buffer.byteLength(path);
  if (length > RUNTIME_MAX_BYTES) {
    return {
      reason: `expected a path of at most ${RUNTIME_MAX_BYTES} bytes, got ${length}`,
      remedy: "set AGENTOS_RUNTIME_DIR to a shorter one",
    };
  }
  const facts = await lstat(path);
  const elsewhere = "set AGENTOS_RUNTIME_DIR to a directory of your own";
  if (!facts.isDirectory()) {
    return { reason: "expected a directory, got something else", remedy: elsewhere };
  }
  const uid = process.getuid?.();
  if (uid !== undefined && facts.uid !== uid) {
    const reason = `expected a directory of user ${uid}, got one of user ${facts.uid}`;
    return { reason, remedy: elsewhere };
  }
  if ((facts.mode & 0o077) === 0) return undefined;
  const mode = (facts.mode & 0o777).toString(8);
  return { reason: `expected mode 0700, got 0${mode}`, remedy: `chmod 700 ${path}` };
}
