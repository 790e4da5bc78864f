import type { FairShare } from "./fair-share.ts";

/** As `fetch`; each piece of a body waits for its turn before it is made anything of. */
export function fairFetch(share: FairShare): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (response.body === null) return response;
    const { status, statusText, headers } = response;
    const body = fairBody(response.body, share, init?.signal ?? undefined);
    return new Response(body, { status, statusText, headers });
  };
}

function fairBody(
  body: ReadableStream<Uint8Array>,
  share: FairShare,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream(
    {
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        await share.turn(signal);
        controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
