import type { VmAdmin } from "../leases/vm-admin.ts";
import { type LogChannel, readLog } from "./read-log.ts";

/** The two channels of a logged process as streams, each a log reader of its own that begins at its first read. */
export class LoggedOutput {
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;

  constructor(admin: VmAdmin, processId: string) {
    this.stdout = channelOf(admin, processId, "stdout");
    this.stderr = channelOf(admin, processId, "stderr");
  }
}

function channelOf(
  admin: VmAdmin,
  processId: string,
  channel: LogChannel,
): ReadableStream<Uint8Array> {
  let chunks: AsyncGenerator<Uint8Array, void> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        chunks ??= dataOf(admin, processId, channel);
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => {
        await chunks?.return();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* dataOf(
  admin: VmAdmin,
  processId: string,
  channel: LogChannel,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of readLog(admin, processId, {}))
    if (chunk.channel === channel) yield chunk.data;
}
