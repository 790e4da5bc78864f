import { readFileSync } from "node:fs";

import * as z from "zod";

const NAME = "@agentos/client";
const Manifest = z.object({ version: z.string() });
let name: { name: string; version: string } | undefined;

/** What this client calls itself on the wire. */
export function clientName(): { name: string; version: string } {
  name ??= {
    name: NAME,
    version: Manifest.parse(
      JSON.parse(readFileSync(new URL(import.meta.resolve(`${NAME}/package.json`)), "utf8")),
    ).version,
  };
  return name;
}
