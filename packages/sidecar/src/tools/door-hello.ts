import type { Duplex } from "node:stream";

import { TOOL_BOUNDS } from "./tool-bounds.ts";

const LENGTH_BYTES = 4;

/** What `agentos-tool` says first. */
export interface DoorHello {
  readonly mode: "mcp" | "call";
  readonly token: string;
  readonly args: readonly string[];
}

/** Reads `u32 length`, then strings with a NUL after each: mode, token, arguments. Undefined: it is something else. */
export async function readHello(socket: Duplex): Promise<DoorHello | undefined> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.byteLength < LENGTH_BYTES) continue;
    const length = bytes.readUInt32LE();
    if (length > TOOL_BOUNDS.helloBytes) return undefined;
    if (bytes.byteLength < LENGTH_BYTES + length) continue;
    const rest = bytes.subarray(LENGTH_BYTES + length);
    if (rest.byteLength > 0) socket.unshift(rest);
    return helloOf(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length).toString());
  }
  return undefined;
}

function helloOf(text: string): DoorHello | undefined {
  if (!text.endsWith("\0")) return undefined;
  const [mode, token, ...args] = text.slice(0, -1).split("\0");
  if (token === undefined || (mode !== "mcp" && mode !== "call")) return undefined;
  return { mode, token, args };
}
