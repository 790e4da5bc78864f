import type { SessionEvent } from "@agentos/client";

import type { Io } from "../io.ts";
import { writeJson } from "../output/write.ts";
import { TextView } from "./text-view.ts";

/** Shows a session's events as they come. */
export interface SessionView {
  show(event: SessionEvent): Promise<void>;
}

/** For a person, or one JSON line per event. */
export function createSessionView(io: Io, json: boolean): SessionView {
  if (json) return { show: (event) => writeJson(io.stdout, event) };
  return new TextView(io);
}
