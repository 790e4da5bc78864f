import { serverSentEvents } from "../framing.ts";
import { openAiError } from "../openai-error.ts";
import type { WireFormat } from "../wire-format.ts";
import { readResponsesRequest } from "./read-responses-request.ts";
import { ResponsesEncoder } from "./responses-encoder.ts";

/** OpenAI's Responses. */
export const openAiResponses: WireFormat = {
  name: "openai-responses",
  read: readResponsesRequest,
  encoder: (context) => new ResponsesEncoder(context),
  framing: () => serverSentEvents("\n"),
  error: openAiError,
  callId: (n) => `call_fake_${n}`,
};
