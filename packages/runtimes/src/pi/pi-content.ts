import type { RuntimeTurn, SessionVm } from "@agentos/core";
import type { Content, JsonObject } from "@agentos/protocol";

import { readContent } from "../api/read-content.ts";

const FROM_SYSTEM = "[from the system, not from the user]\n";

/** A prompt as Pi has it: text, and images beside it. */
export async function piMessage(
  vm: SessionVm,
  content: Content,
  from: RuntimeTurn["from"],
): Promise<JsonObject> {
  const parts = await readContent(vm, content);
  const intro = from === "hook" ? FROM_SYSTEM : "";
  const texts = parts.map((part) =>
    part.type === "text"
      ? part.text
      : part.type === "file"
        ? `[file ${part.name ?? part.mediaType}]`
        : "",
  );
  const images = parts.flatMap((part) =>
    part.type === "image"
      ? [{ type: "image", data: part.data ?? "", mimeType: part.mediaType }]
      : [],
  );
  const message = intro + texts.filter((text) => text !== "").join("\n");
  return { message, ...(images.length === 0 ? {} : { images }) };
}
