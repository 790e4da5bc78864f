import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { AgentOsError } from "@agentos/protocol";

import { vmdFileName } from "../vmd-file-name.ts";

/** What to do where the build could not make vmd. */
const VMD_REMEDY = "install a C compiler and run npm run build";

/** The path of the vmd binary that the build made. Rejects with `DRIVER_UNAVAILABLE`. */
export async function findVmd(): Promise<string> {
  if (process.platform !== "linux") {
    throw unavailable(`it runs on Linux, this is ${process.platform}`);
  }
  const name = vmdFileName(process.arch);
  if (name === undefined)
    throw unavailable(`there is no vmd for a processor of type ${process.arch}`);
  // By the package's name, not by place: a bundle of this module lies elsewhere.
  const manifest = import.meta.resolve("@agentos/vm/package.json");
  const path = fileURLToPath(new URL(`dist/${name}`, manifest));
  try {
    await access(path, constants.X_OK);
  } catch (cause) {
    throw unavailable(`${name} is missing beside the @agentos/vm package`, VMD_REMEDY, cause);
  }
  return path;
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
