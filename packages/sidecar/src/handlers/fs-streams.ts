import type { FrameSource } from "@agentos/core";
import { DEFAULTS, type FileStat, type Handlers } from "@agentos/protocol";

import type { StreamLink } from "../server/stream-link.ts";
import type { HandlerContext } from "./handler-context.ts";

const FILE_MODE = 0o644;

/** File operations whose bytes travel on a numbered stream. */
export function fileStreamHandlers({ host, holder, streams }: HandlerContext): Handlers {
  const open = (number: number, vmKey: string, windowBytes: number): StreamLink =>
    streams.open({ number, vmKey, windowBytes, kind: "file" });
  return {
    "fs.read": (params, { signal }) => {
      const { path, start = 0, length, windowBytes = DEFAULTS.transferWindowBytes } = params;
      const { vm, handle } = host.access(holder, params);
      const link = open(params.stream, vm.facts.key, windowBytes);
      const range = length === undefined ? { start } : { start, length };
      return read(link, signal, handle.files.read({ path, ...range, windowBytes }, link));
    },
    "fs.readdir": (params, { signal }) => {
      const { vm, handle } = host.access(holder, params);
      const link = open(params.stream, vm.facts.key, DEFAULTS.transferWindowBytes);
      return read(link, signal, handle.files.readdir(params.path, link));
    },
    "fs.write": async (params, { signal }) => {
      const { path, mode = FILE_MODE, start = 0, how = "truncate" } = params;
      const { windowBytes = DEFAULTS.transferWindowBytes } = params;
      const { vm, handle } = host.access(holder, params);
      const link = open(params.stream, vm.facts.key, windowBytes);
      signal.addEventListener("abort", () => link.close(), { once: true });
      try {
        const write = handle.files.write({ path, mode, start, how, windowBytes }, link);
        link.attach(write);
        return await write.written;
      } finally {
        link.close();
      }
    },
  };
}

async function read(
  link: StreamLink,
  signal: AbortSignal,
  started: Promise<{ stat: FileStat; stream: FrameSource }>,
): Promise<{ stat: FileStat }> {
  // Once it is answered, the reader ends it with `stream.close`.
  signal.addEventListener("abort", () => link.close(), { once: true });
  try {
    const { stat, stream } = await started;
    link.attach(stream);
    return { stat };
  } catch (error) {
    link.close();
    throw error;
  }
}
