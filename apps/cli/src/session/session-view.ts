import type { SessionEvent } from "@agentos/client";

import type { Io } from "../io.ts";
import { writeJson } from "../output/write.ts";
import { TextView } from "./text-view.ts";

/** Shows a session's events as they come. */
export interface SessionView {
  show(event: SessionEvent): Promise<void>;
}

/** For a person, or one JSON line per event. `prompts`: with what the agent was told, where that is not known. */
export function createSessionView(
  io: Io,
  json: boolean,
  options: { readonly prompts?: boolean } = {},
): SessionView {
  if (json) return { show: (event) => writeJson(io.stdout, event) };
  return new TextView(io, options);
}
