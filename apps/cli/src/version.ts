import { readFileSync } from "node:fs";

import { PACKAGE_ROOT } from "./package-root.ts";

const manifest: unknown = JSON.parse(readFileSync(new URL("package.json", PACKAGE_ROOT), "utf8"));

/** This build's version. */
export const VERSION =
  typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
