import { access, chmod, lstat, mkdir, readFile, readlink, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { AGENTS_DIRECTORY } from "@agentos/protocol";

import { type FieldWriter, u32 } from "../link/fields.ts";
import { FIELD } from "../link/link-kinds.ts";
import { HOSTS_PATH, syntheticEtc } from "./synthetic-etc.ts";

const AGENTOS = "/opt/agentos";
const HOME = "/home/agent";
const SYSTEM_DIRECTORIES = ["/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"];
/** Host settings that hold no secret and that programs look for. */
const SHARED_ETC = [
  "/etc/alternatives",
  "/etc/ca-certificates.conf",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/mime.types",
  "/etc/pki/ca-trust/extracted",
  "/etc/pki/tls/certs",
  "/etc/protocols",
  "/etc/services",
  "/etc/ssl/certs",
  "/etc/ssl/openssl.cnf",
];
const PATH = [
  `${AGENTOS}/bin`,
  `${HOME}/.local/bin`,
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
].join(":");

interface Pair {
  readonly source: string;
  readonly target: string;
}

/** The root filesystem of a VM on the `host` image: what CONFIG says of it, and the environment. */
export interface HostImage {
  readonly environment: Readonly<Record<string, string>>;
  /** Writes the `system`, `link` and `file` fields. */
  writeTo(fields: FieldWriter): void;
}

export interface HostImageOptions {
  /** The Node that the VM finds first. */
  readonly nodePath: string;
  /** vmd, which is `agentos-tool` in the VM. */
  readonly vmdPath: string;
  readonly agentsDirectory: string | undefined;
}

/** Looks at the host once. */
export async function readHostImage(options: HostImageOptions): Promise<HostImage> {
  const [directories, shared, node, agents, time, release, shell] = await Promise.all([
    systemDirectories(),
    existing(SHARED_ETC),
    nodeEntries(options.nodePath),
    agentsEntry(options.agentsDirectory),
    localTime(),
    readFile("/etc/os-release", "utf8").catch(() => undefined),
    findShell(),
  ]);
  const system = [
    { source: "/usr", target: "/usr" },
    ...directories.system,
    ...shared,
    ...node.system,
    { source: options.vmdPath, target: `${AGENTOS}/bin/agentos-tool` },
    ...agents,
    ...time.system,
  ];
  const hosts = { source: HOSTS_PATH, target: "/etc/hosts" };
  const links = [...directories.links, ...node.links, ...time.links, hosts];
  const files = syntheticEtc({ home: HOME, shell, path: PATH, osRelease: release });
  return {
    environment: {
      PATH,
      HOME,
      USER: "agent",
      LOGNAME: "agent",
      SHELL: shell,
      LANG: "C.UTF-8",
    },
    writeTo(fields) {
      for (const { source, target } of system) fields.pair(FIELD.system, source, target);
      for (const { source, target } of links) fields.pair(FIELD.link, source, target);
      for (const { path, content } of files) fields.pair(FIELD.file, path, content, u32(0o644));
    },
  };
}

/** On a merged system links into /usr, elsewhere directories of their own. */
async function systemDirectories(): Promise<{ system: Pair[]; links: Pair[] }> {
  const system: Pair[] = [];
  const links: Pair[] = [];
  const found = await Promise.all(
    SYSTEM_DIRECTORIES.map(async (path) => ({
      path,
      stat: await lstat(path).catch(() => undefined),
    })),
  );
  for (const entry of found) {
    if (entry.stat?.isDirectory() === true) system.push({ source: entry.path, target: entry.path });
    // oxlint-disable-next-line no-await-in-loop
    else if (entry.stat?.isSymbolicLink() === true) links.push(await linkOf(entry.path));
  }
  return { system, links };
}

async function linkOf(path: string): Promise<Pair> {
  return { source: await readlink(path), target: path };
}

async function existing(paths: readonly string[]): Promise<Pair[]> {
  const found = await Promise.all(paths.map(exists));
  return paths.filter((_, at) => found[at]).map((path) => ({ source: path, target: path }));
}

async function exists(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined;
}

/** A link into the zones of /usr stays one, so that programs can read the zone's name from it. */
async function localTime(): Promise<{ system: Pair[]; links: Pair[] }> {
  const path = "/etc/localtime";
  const content = await readlink(path).catch(() => undefined);
  if (content !== undefined && /^(\.\.)?\/usr\//.test(content)) {
    return { system: [], links: [{ source: content, target: path }] };
  }
  return { system: await existing([path]), links: [] };
}

/** Node, and npm where it belongs to that Node and the VM would not find it in /usr anyway. */
async function nodeEntries(nodePath: string): Promise<{ system: Pair[]; links: Pair[] }> {
  const system = [{ source: nodePath, target: `${AGENTOS}/bin/node` }];
  const modules = "lib/node_modules/npm";
  const npm = join(dirname(dirname(nodePath)), modules);
  if (nodePath.startsWith("/usr/") || !(await exists(npm))) return { system, links: [] };
  system.push({ source: npm, target: `${AGENTOS}/${modules}` });
  const links = ["npm", "npx"].map((name) => ({
    source: `../${modules}/bin/${name}-cli.js`,
    target: `${AGENTOS}/bin/${name}`,
  }));
  return { system, links };
}

/** The directory itself: what is installed later is seen too. */
async function agentsEntry(directory: string | undefined): Promise<Pair[]> {
  if (directory === undefined) return [];
  await mkdir(directory).then(
    // Whatever the umask is: VMs of root are other users.
    () => chmod(directory, 0o755),
    (error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    },
  );
  return [{ source: directory, target: AGENTS_DIRECTORY }];
}

async function findShell(): Promise<string> {
  const paths = ["/bin/bash", "/usr/bin/bash"];
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => path,
        () => undefined,
      ),
    ),
  );
  return found.find((path) => path !== undefined) ?? "/bin/sh";
}
