import { access, lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

import type { VmRecord } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";
import * as z from "zod";

import { VM_HOSTNAME } from "../synthetic-etc.ts";

const HOME = "/home/agent";
const AGENT_ID = "1000";
/** Parts of every disk. Those below a directory of the image come after it. */
const OWN_PARTS = ["/workspace", "/home/agent", "/var/tmp", "/tmp"];
/** What a VM has of its own, whatever the image has there. */
const OWN_DIRECTORIES = new Set(["dev", "proc", "sys", "run", "tmp", "workspace"]);
const MAX_PARTS = 40;
const MAX_PART_BYTES = 60;
const MAX_LINK_BYTES = 255;
const PATH = [
  `${HOME}/.local/bin`,
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
].join(":");

const ImageRecord = z.discriminatedUnion("kind", [
  z.object({
    version: z.literal(1),
    kind: z.literal("directory"),
    path: z.string().startsWith("/"),
  }),
  z.object({
    version: z.literal(1),
    kind: z.literal("unpacked"),
    id: z.string().regex(/^i-[a-z0-9]{1,60}$/),
  }),
]);

/** Where an image's root filesystem is: a directory of somebody's, or what was unpacked from an archive. */
export type ImageRecord = z.output<typeof ImageRecord>;

/** Throws for what no version wrote. */
export function readImageRecord(record: VmRecord): ImageRecord {
  return ImageRecord.parse(record);
}

/** A root filesystem as VMs begin with it. */
export interface RootImage {
  /** The directory: the lowest layer of every VM's disk. */
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What of the disk is seen, and where. */
  readonly parts: readonly string[];
  readonly links: readonly { readonly source: string; readonly target: string }[];
  /** What a new VM finds in /etc besides. */
  readonly files: readonly { readonly path: string; readonly content: string }[];
}

/** Looks at a root filesystem. Rejects with `IMAGE_REFUSED`. */
export async function readRootImage(name: string, path: string): Promise<RootImage> {
  const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
    throw imageRefused(name, "it is no directory that can be read", cause);
  });
  const directories = entries
    .filter((entry) => entry.isDirectory() && !OWN_DIRECTORIES.has(entry.name))
    .map((entry) => `/${entry.name}`);
  if (!entries.some(({ name: each }) => each === "bin" || each === "usr"))
    throw imageRefused(name, "it is no root filesystem: there is no /bin and no /usr in it");
  const parts = [...directories, ...OWN_PARTS];
  if (parts.length > MAX_PARTS || parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES))
    throw imageRefused(
      name,
      "it has more, or longer names of, directories at its top than a root has",
    );
  const links = await Promise.all(
    entries
      .filter((entry) => entry.isSymbolicLink())
      .map(async (entry) => ({
        source: await readlink(join(path, entry.name)),
        target: `/${entry.name}`,
      })),
  );
  const shell = await shellOf(path);
  return {
    path,
    parts,
    links: links.filter(({ source }) => Buffer.byteLength(source) <= MAX_LINK_BYTES),
    files: await etcOf(path, shell),
    environment: {
      PATH,
      HOME,
      USER: "agent",
      LOGNAME: "agent",
      SHELL: shell,
      LANG: "C.UTF-8",
    },
  };
}

/** Where a program of the VM must find its shell: links of the image are followed inside only. */
async function shellOf(path: string): Promise<string> {
  const places = ["/bin/bash", "/usr/bin/bash"];
  const found = await Promise.all(
    places.map((place) =>
      access(join(path, place)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.some(Boolean) ? "/bin/bash" : "/bin/sh";
}

/** The image's own users, with the VM's. A file that is a link stays as it is. */
async function etcOf(path: string, shell: string): Promise<RootImage["files"]> {
  const etc = await lstat(join(path, "etc")).catch(() => undefined);
  if (etc?.isDirectory() !== true) return [];
  const passwd = await ownText(join(path, "etc/passwd"));
  const group = await ownText(join(path, "etc/group"));
  const agent = `agent:x:${AGENT_ID}:${AGENT_ID}:agent:${HOME}:${shell}`;
  const files = [
    { path: "/etc/passwd", content: withEntry(passwd, agent) },
    { path: "/etc/group", content: withEntry(group, `agent:x:${AGENT_ID}:`) },
    { path: "/etc/hosts", content: `127.0.0.1 localhost ${VM_HOSTNAME}\n::1 localhost\n` },
    { path: "/etc/hostname", content: `${VM_HOSTNAME}\n` },
  ];
  const kept = await Promise.all(
    files.map(async (file) => {
      const found = await lstat(join(path, file.path)).catch(() => undefined);
      return found === undefined || found.isFile();
    }),
  );
  return files.filter((_, at) => kept[at]);
}

async function ownText(path: string): Promise<string> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isFile() !== true || found.size > 64 * 1024) return "";
  return await readFile(path, "utf8").catch(() => "");
}

/** Whoever has the agent's number or name in the image gives way to it. */
function withEntry(text: string, entry: string): string {
  const others = text.split("\n").filter((line) => {
    const [name, , id] = line.split(":");
    return line !== "" && name !== "agent" && id !== AGENT_ID;
  });
  return `${[...others, entry].join("\n")}\n`;
}

export function imageRefused(
  image: string,
  reason: string,
  cause?: unknown,
): AgentOsError<"IMAGE_REFUSED"> {
  const message = `the image ${image} was not taken: ${reason}`;
  const options = cause === undefined ? {} : { cause };
  return new AgentOsError("IMAGE_REFUSED", message, { image, reason }, options);
}
