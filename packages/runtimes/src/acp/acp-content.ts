import type { SessionVm } from "@agentos/core";
import type { Content, JsonObject } from "@agentos/protocol";

import { readContent } from "../api/read-content.ts";
import { promptText } from "../vm-agent/prompt-text.ts";

/** A prompt as ACP has it. Where the agent takes no images, they are files of the VM, and named. */
export async function promptBlocks(
  vm: SessionVm,
  content: Content,
  takesImages: boolean,
): Promise<JsonObject[]> {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return await Promise.all(
    content.map(async (part): Promise<JsonObject> => {
      if (part.type !== "image" || !takesImages) {
        return { type: "text", text: await promptText(vm, [part]) };
      }
      const [read] = await readContent(vm, [part]);
      const data = read !== undefined && read.type === "image" ? (read.data ?? "") : "";
      return { type: "image", mimeType: part.mediaType, data };
    }),
  );
}
