import * as z from "zod";

import { estimateTokens } from "../script/usage.ts";
import type { Route } from "./route.ts";

const CREATED = new Date("2026-01-01T00:00:00Z");

/** What the endpoints beside the model answer; undefined where there is nothing. */
export function sideAnswer(
  { to, format }: Route,
  asked: { readonly path: string; readonly text: string; readonly body: unknown },
  models: readonly string[],
): Record<string, unknown> | undefined {
  switch (to) {
    case "greeting":
      return { status: "ok" };
    case "count-tokens": {
      const tokens = estimateTokens(asked.text.length);
      return format.name === "gemini" ? { totalTokens: tokens } : { input_tokens: tokens };
    }
    case "compact":
      return { output: [compacted(asked.body)] };
    case "models":
      return modelsAnswer(asked.path, format.name === "gemini", models);
    case "model":
    case "nothing":
    default:
      return undefined;
  }
}

function modelsAnswer(
  path: string,
  isGemini: boolean,
  models: readonly string[],
): Record<string, unknown> | undefined {
  const describe = isGemini ? geminiModel : otherModel;
  const [, encoded] = /\/models\/([^/]+)$/.exec(path) ?? [];
  if (encoded !== undefined) {
    const id = decodeURIComponent(encoded);
    return models.includes(id) ? describe(id) : undefined;
  }
  const data = models.map(describe);
  if (isGemini) return { models: data };
  const [first = null, last = null] = [models[0], models.at(-1)];
  return { object: "list", data, models: [], first_id: first, last_id: last, has_more: false };
}

/** Both providers' fields at once: they share the path. */
function otherModel(id: string): Record<string, unknown> {
  const dates = { created: CREATED.getTime() / 1000, created_at: CREATED.toISOString() };
  return { id, type: "model", object: "model", display_name: id, owned_by: "scripted", ...dates };
}

function geminiModel(id: string): Record<string, unknown> {
  return {
    name: `models/${id}`,
    displayName: id,
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    supportedGenerationMethods: ["generateContent", "countTokens"],
  };
}

const Compacted = z.looseObject({ input: z.array(z.unknown()) });

function compacted(body: unknown): Record<string, unknown> {
  const parsed = Compacted.safeParse(body);
  const count = parsed.success ? parsed.data.input.length : 0;
  const text = `Summary of ${count} items of the conversation so far.`;
  return { type: "message", role: "user", content: [{ type: "input_text", text }] };
}
