import { join } from "node:path";

import type { StartRequest } from "@agentos/protocol";

export function startRequestOf(directory: string, more: Partial<StartRequest> = {}): StartRequest {
  return {
    protocol: { min: 1, max: 1 },
    client: { name: "test", version: "1.0.0" },
    sidecarId: "sidecar-of-test",
    stateDirectory: join(directory, "state"),
    runtimeDirectory: join(directory, "run"),
    ...more,
  };
}

/** 4 bytes of length, little-endian, then the text. */
export function frameOf(text: string): Buffer {
  const body = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.byteLength);
  return Buffer.concat([length, body]);
}
