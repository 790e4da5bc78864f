import { readFileSync } from "node:fs";

import * as z from "zod";

const Manifest = z.object({ version: z.string() });
let name: { name: string; version: string } | undefined;

/** What this client calls itself on the wire. */
export function clientName(): { name: string; version: string } {
  name ??= {
    name: "@agentos/client",
    version: Manifest.parse(
      JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")),
    ).version,
  };
  return name;
}
