import { pathToFileURL } from "node:url";
import { resolve } from "node:path";

import { AgentOsError } from "@agentos/protocol";

import type { Script } from "../script/rule.ts";
import { echo } from "./echo.ts";
import { fixFailingTest } from "./fix-failing-test.ts";

const READY: ReadonlyMap<string, Script> = new Map([
  ["echo", echo],
  ["fix-failing-test", fixFailingTest()],
]);

/**
 * A ready script by its name, or the one that a module exports as `script`. Rejects with
 * `NOT_FOUND` or `INVALID_ARGUMENT`.
 */
export async function findScript(nameOrFile: string): Promise<Script> {
  const ready = READY.get(nameOrFile);
  if (ready !== undefined) return ready;
  if (!/[./]/.test(nameOrFile)) {
    const known = [...READY.keys()].join(", ");
    const message = `no script is named ${nameOrFile}; expected one of ${known}, or a file`;
    throw new AgentOsError("NOT_FOUND", message, { kind: "script", id: nameOrFile });
  }
  const module: unknown = await import(pathToFileURL(resolve(nameOrFile)).href);
  if (isScriptModule(module)) return module.script;
  const message = `expected ${nameOrFile} to export a script as \`script\``;
  throw new AgentOsError("INVALID_ARGUMENT", message, {
    argument: "script",
    expected: "an export named script",
    actual: "none",
  });
}

function isScriptModule(module: unknown): module is { readonly script: Script } {
  if (typeof module !== "object" || module === null || !("script" in module)) return false;
  const { script } = module;
  return typeof script === "object" && script !== null && "rules" in script;
}
