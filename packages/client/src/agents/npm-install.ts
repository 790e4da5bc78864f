import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { AgentOsError } from "@agentos/protocol";
import * as z from "zod";

/** npm's own settings, where it finds them and how it gets out; nothing else of the caller's environment. */
const KEPT_NAMES = [
  "PATH",
  "HOME",
  "LANG",
  "TMPDIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
];
const STDERR_LINES = 20;

const FLAGS = [
  "install",
  "--ignore-scripts",
  "--no-audit",
  "--no-fund",
  "--no-save",
  "--no-progress",
  "--loglevel=error",
  "--install-strategy=hoisted",
  "--global=false",
];

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string().optional(), integrity: z.string().optional() }),
  ),
});

/** A package as npm has put it into a folder. */
export interface InstalledPackage {
  readonly version: string;
  readonly integrity: string;
}

/**
 * Has npm install a package and what it needs on this platform into `folder`: each tarball is checked against
 * the registry's hash, and no script of any package runs. Rejects with `INSTALL_FAILED`.
 */
export async function npmInstall(
  folder: string,
  { name, version, signal }: { name: string; version: string; signal?: AbortSignal | undefined },
): Promise<InstalledPackage> {
  const spec = `${name}@${version}`;
  const [program, ...words] = npm();
  // What most programs never need is loaded when it is.
  const { execa } = await import("execa");
  const result = await execa(program, [...words, ...FLAGS, `--prefix=${folder}`, spec], {
    cwd: folder,
    env: environment(process.env),
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (result.isCanceled) {
    const message = `installing ${spec} was cancelled`;
    throw new AgentOsError("CANCELLED", message, { operation: "install" });
  }
  if (result.exitCode === 0) return await installed(folder, name, spec);
  const lines = result.stderr.split("\n").filter((line) => line.trim() !== "");
  const reason = lines.slice(-STDERR_LINES).join("\n");
  throw installFailed(spec, reason || (result.shortMessage ?? "npm failed"));
}

/** What a package that can't be had is told as. */
export function installFailed(spec: string, reason: string): AgentOsError<"INSTALL_FAILED"> {
  return new AgentOsError("INSTALL_FAILED", `${spec} could not be installed: ${reason}`, {
    package: spec,
    reason,
  });
}

async function installed(folder: string, name: string, spec: string): Promise<InstalledPackage> {
  const path = join(folder, "node_modules", ".package-lock.json");
  const lock = Lock.safeParse(JSON.parse(await readFile(path, "utf8")));
  const entry = lock.success ? lock.data.packages[`node_modules/${name}`] : undefined;
  if (entry?.version === undefined || entry.integrity === undefined) {
    throw installFailed(spec, "npm left no record of the package's version and hash");
  }
  return { version: entry.version, integrity: entry.integrity };
}

/** The npm of this Node, else the one on PATH. */
function npm(): [string, ...string[]] {
  const beside = join(dirname(dirname(process.execPath)), "lib/node_modules/npm/bin/npm-cli.js");
  return existsSync(beside) ? [process.execPath, beside] : ["npm"];
}

function environment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept = Object.entries(env).filter(([name]) => {
    return KEPT_NAMES.includes(name.toUpperCase()) || name.toLowerCase().startsWith("npm_config_");
  });
  return Object.fromEntries(
    kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
