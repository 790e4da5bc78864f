import type { BodyWriter } from "./body-writer.ts";
import type { Exchange } from "./exchange.ts";

/** Answers with a JSON body. */
export async function sendJson(
  { response }: Exchange,
  writer: BodyWriter,
  answer: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  response.writeHead(answer.status, { ...answer.headers, "content-type": "application/json" });
  await writer.write(JSON.stringify(answer.body));
}
