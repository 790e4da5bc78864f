import { serverSentEvents } from "../framing.ts";
import type { WireFormat } from "../wire-format.ts";
import { AnthropicEncoder } from "./anthropic-encoder.ts";
import { anthropicError } from "./anthropic-error.ts";
import { readAnthropicRequest } from "./read-anthropic-request.ts";

/** Anthropic's Messages. */
export const anthropic: WireFormat = {
  name: "anthropic",
  read: readAnthropicRequest,
  encoder: (context) => new AnthropicEncoder(context),
  framing: () => serverSentEvents("\n"),
  error: anthropicError,
  callId: (n) => `toolu_fake_${n}`,
};
