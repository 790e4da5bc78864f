import { serverSentEvents } from "../framing.ts";
import { openAiError } from "../openai-error.ts";
import type { WireFormat } from "../wire-format.ts";
import { ChatEncoder } from "./chat-encoder.ts";
import { readChatRequest } from "./read-chat-request.ts";

/** OpenAI's Chat Completions, and all that took over its format. */
export const openAiChat: WireFormat = {
  name: "openai-chat",
  read: readChatRequest,
  encoder: (context) => new ChatEncoder(context),
  framing: () => serverSentEvents("\n"),
  error: openAiError,
  callId: (n) => `call_fake_${n}`,
};
