import { createRequire } from "node:module";

import * as z from "zod";

// By name, not by place: the bin is bundled into another folder.
const manifest: unknown = createRequire(import.meta.url)("@agentos/sidecar/package.json");

/** The version of this package. */
export const SIDECAR_VERSION = z.object({ version: z.string() }).parse(manifest).version;
