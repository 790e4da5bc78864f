import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

const FOLDER = join(import.meta.dirname, "../.nodes");

/** The oldest that is supported, and the newest of each line. */
export const SUPPORTED_NODES = ["22.18.0", "22.23.3", "24.21.0", "26.10.0"] as const;

/** One that is too old. */
export const OLD_NODE = "20.20.2";

/** The npm package that is a Node for this machine. */
function nodePackage(version: string): string {
  const isApple = process.platform === "darwin" && process.arch === "arm64";
  return `node-${isApple ? "bin-" : ""}${process.platform}-${process.arch}@${version}`;
}

/** The path of a Node, fetched by npm where it is not here yet. Undefined where the registry has none for this machine. */
export async function fetchNode(version: string): Promise<string | undefined> {
  const folder = join(FOLDER, version);
  const wanted = nodePackage(version);
  const [name = ""] = wanted.split("@");
  const path = join(folder, "node_modules", name, "bin", "node");
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  const words = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", wanted];
  const { exitCode, stderr } = await execa("npm", words, { reject: false });
  if (existsSync(path)) return path;
  if (/\b(?:E404|ETARGET|EBADPLATFORM)\b/.test(stderr)) return undefined;
  throw new Error(`npm ${words.join(" ")}: exit code ${exitCode}\n${stderr}`);
}
