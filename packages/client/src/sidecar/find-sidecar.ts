import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { AgentOsError } from "@agentos/protocol";
import * as z from "zod";

const PACKAGE = "@agentos/sidecar/package.json";
const INSTALL = "npm install @agentos/sidecar";
const Manifest = z.object({ bin: z.union([z.string(), z.record(z.string(), z.string())]) });

/** The sidecar's main file: `sidecarPath`, else the package as seen from here, else as seen from the working directory. */
export function findSidecar(sidecarPath: string | undefined): string {
  if (sidecarPath !== undefined) {
    const path = resolve(sidecarPath);
    if (existsSync(path)) return path;
    throw notFound([path]);
  }
  const found = fromHere() ?? fromWorkingDirectory();
  if (found !== undefined) return binOf(found);
  throw notFound([`${PACKAGE} from ${import.meta.dirname}`, `${PACKAGE} from ${process.cwd()}`]);
}

function fromHere(): string | undefined {
  try {
    const path = fileURLToPath(import.meta.resolve(PACKAGE));
    return existsSync(path) ? path : undefined;
  } catch {
    // Not installed beside the client: the working directory is next.
    return undefined;
  }
}

function fromWorkingDirectory(): string | undefined {
  try {
    return createRequire(join(process.cwd(), "package.json")).resolve(PACKAGE);
  } catch {
    // Not there either: the caller says where it was searched.
    return undefined;
  }
}

function binOf(manifestPath: string): string {
  const { bin } = Manifest.parse(JSON.parse(readFileSync(manifestPath, "utf8")));
  const main = typeof bin === "string" ? bin : bin["agentos-sidecar"];
  const path = join(dirname(manifestPath), main ?? "dist/main.js");
  if (existsSync(path)) return path;
  throw notFound([path]);
}

function notFound(searched: string[]): AgentOsError {
  const message = `no sidecar found (searched ${searched.join(", ")}): ${INSTALL}`;
  return new AgentOsError("SIDECAR_NOT_FOUND", message, { searched, install: INSTALL });
}
