import type { Frame, Framing } from "./wire-format.ts";

/** Server-sent events. `newline` is the provider's. */
export function serverSentEvents(newline: "\n" | "\r\n"): Framing {
  return {
    contentType: "text/event-stream",
    start: "",
    end: "",
    write: ({ event, data }) => {
      const name = event === undefined ? "" : `event: ${event}${newline}`;
      return `${name}data: ${written(data)}${newline}${newline}`;
    },
  };
}

/** What Gemini sends without `alt=sse`: one array, item by item. */
export const JSON_ARRAY: Framing = {
  contentType: "application/json; charset=UTF-8",
  start: "[",
  end: "]",
  write: ({ data }, first) => `${first ? "" : "\r\n,"}${written(data)}`,
};

function written(data: Frame["data"]): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}
