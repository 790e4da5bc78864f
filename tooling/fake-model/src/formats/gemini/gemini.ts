import { JSON_ARRAY, serverSentEvents } from "../framing.ts";
import type { WireFormat } from "../wire-format.ts";
import { GeminiEncoder } from "./gemini-encoder.ts";
import { geminiError } from "./gemini-error.ts";
import { readGeminiRequest } from "./read-gemini-request.ts";

/** Gemini's generateContent and streamGenerateContent. */
export const gemini: WireFormat = {
  name: "gemini",
  read: readGeminiRequest,
  encoder: (context) => new GeminiEncoder(context),
  framing: ({ query }) => (query.get("alt") === "sse" ? serverSentEvents("\r\n") : JSON_ARRAY),
  error: geminiError,
  callId: (n) => `fake-call-${n}`,
};
