import { AgentOsError } from "@agentos/protocol";

/** What of a frame's payload is new after `received` bytes. Throws `PROTOCOL_ERROR` where bytes are missing before it. */
export function inOrder(received: number, offset: number, payload: Uint8Array): Uint8Array {
  if (offset === received) return payload;
  if (offset < received) return payload.subarray(received - offset);
  const reason = `expected bytes at offset ${received}, got ${offset}`;
  throw new AgentOsError("PROTOCOL_ERROR", reason, { reason });
}
