import { constants, existsSync } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { AgentOsError } from "@agentos/protocol";
import * as z from "zod";

import { LINK_VERSION } from "../link/link-kinds.ts";
import { vmdFileName, vmdPackageName } from "../vmd-names.ts";

/** What to do where the build of a clone could not make vmd. */
const BUILD_REMEDY = "install a C compiler and run npm run build";

/** What of a binary's provenance matters here; the rest is for people. */
const Provenance = z.object({ version: z.string(), link: z.int() });
const Manifest = z.object({ version: z.string() });

/** Where a vmd is looked for, and what to do where there is none. */
interface Place {
  readonly path: string | undefined;
  readonly provenance: string;
  readonly remedy: string;
}

/** The path of the vmd binary: what the build of a clone made, else the package for this processor. Rejects with `DRIVER_UNAVAILABLE`. */
export async function findVmd(): Promise<string> {
  if (process.platform !== "linux") {
    throw unavailable(`it runs on Linux, this is ${process.platform}`);
  }
  const name = vmdFileName(process.arch);
  if (name === undefined)
    throw unavailable(`there is no vmd for a processor of type ${process.arch}`);
  // By the package's name, not by place: a bundle of this module lies elsewhere.
  return await vmdFrom(fileURLToPath(import.meta.resolve("@agentos/vm/package.json")), name);
}

/** The same, as seen from the manifest of `@agentos/vm`. */
export async function vmdFrom(manifest: string, name: string): Promise<string> {
  const { path, provenance, remedy } = await placeOf(manifest, name);
  if (path === undefined) throw unavailable(`${vmdPackageName(name)} is not installed`, remedy);
  try {
    await access(path, constants.X_OK);
  } catch (cause) {
    throw unavailable(`${name} is missing or can't be executed`, remedy, cause);
  }
  await checkProvenance(name, provenance, remedy);
  return path;
}

async function placeOf(manifest: string, name: string): Promise<Place> {
  const root = dirname(manifest);
  if (existsSync(join(root, "native"))) {
    const path = join(root, "dist", name);
    return { path, provenance: `${path}.json`, remedy: BUILD_REMEDY };
  }
  const { version } = Manifest.parse(JSON.parse(await readFile(manifest, "utf8")));
  const remedy = `npm install ${vmdPackageName(name)}@${version}`;
  const folder = installedFolder(manifest, name);
  if (folder === undefined) return { path: undefined, provenance: "", remedy };
  return { path: join(folder, "vmd"), provenance: join(folder, "vmd.json"), remedy };
}

function installedFolder(manifest: string, name: string): string | undefined {
  try {
    return dirname(createRequire(manifest).resolve(`${vmdPackageName(name)}/package.json`));
  } catch {
    // Installed without optional dependencies, or for another processor: the caller says so.
    return undefined;
  }
}

/** Says early, and by version, what the program's own hello would refuse later. */
async function checkProvenance(name: string, path: string, remedy: string): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  const said = text === undefined ? undefined : Provenance.safeParse(parse(text)).data;
  // Without a word beside it the hello alone decides.
  if (said === undefined || said.link === LINK_VERSION) return;
  const is = `${name} ${said.version} speaks version ${said.link} of the link`;
  throw unavailable(`${is}, expected ${LINK_VERSION}`, remedy);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // As good as missing.
    return undefined;
  }
}

/** The linux driver can't work here. */
export function unavailable(
  reason: string,
  remedy?: string,
  cause?: unknown,
): AgentOsError<"DRIVER_UNAVAILABLE"> {
  const hint = remedy === undefined ? "" : `; ${remedy}`;
  return new AgentOsError(
    "DRIVER_UNAVAILABLE",
    `the linux driver is unavailable: ${reason}${hint}`,
    { driver: "linux", reason, ...(remedy === undefined ? {} : { remedy }) },
    cause === undefined ? {} : { cause },
  );
}
