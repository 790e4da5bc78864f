import { posix } from "node:path";

import * as z from "zod";

/** A path as a model writes it: absolute, or below the session's working directory. */
export const PathInput = z
  .string()
  .min(1)
  .max(4095)
  .refine((path) => !path.includes("\0"), "expected a path without NUL");

/** Joined, not normalised: `..` after a link is for the VM to resolve. */
export function absolutePath(cwd: string, path: string): string {
  return path.startsWith("/") ? path : `${cwd.replace(/\/$/, "")}/${path}`;
}

/** The directory that a path is in. */
export function parentOf(path: string): string {
  return posix.dirname(path);
}
