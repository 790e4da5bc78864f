import type { MethodParams, MethodResult } from "@agentos/protocol";

import type { RelayLink } from "./relay-link.ts";

/** Characters of one request: as JSON each may need six bytes. */
const PIECE_CHARS = 96 * 1024;

/** Sends a message, its text in pieces where one request has no room for it. */
export async function sendText(
  link: RelayLink,
  request: Omit<MethodParams<"relay.send">, "text">,
  text: string,
): Promise<MethodResult<"relay.send">> {
  if (text.length <= PIECE_CHARS) return await link.request("relay.send", { ...request, text });
  const { messageId } = request;
  for (let offset = 0; offset < text.length; offset += PIECE_CHARS) {
    const piece = text.slice(offset, offset + PIECE_CHARS);
    await link.request("relay.append", { messageId, offset, text: piece });
  }
  return await link.request("relay.send", request);
}
