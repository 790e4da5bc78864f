import { posix } from "node:path";

import type { VmFiles } from "@agentos/core";
import { isAgentOsError } from "@agentos/protocol";

import { readVmDirectory } from "../agent-program/read-vm-directory.ts";

/** `session-MINUTE-ID.jsonl` with the first characters of the conversation's id. */
const ID_CHARS = 8;
/** A minute that no new conversation begins in. */
const PAST_MINUTE = "2000-01-01T00-00";

/**
 * Moves a conversation out of the way before it is gone on with: Gemini CLI begins a new file for that, named
 * by the minute and the conversation, and in the same minute that is the old one, which it clears.
 */
export async function keepConversation(
  files: VmFiles,
  home: string,
  conversationId: string,
): Promise<void> {
  const projects = posix.join(home, ".gemini", "tmp");
  for (const project of await namesIn(files, projects)) {
    const chats = posix.join(projects, project, "chats");
    // oxlint-disable-next-line no-await-in-loop -- A handful at most.
    for (const name of await namesIn(files, chats)) {
      if (!name.startsWith("session-") || name.startsWith(`session-${PAST_MINUTE}`)) continue;
      if (!name.endsWith(`-${conversationId.slice(0, ID_CHARS)}.jsonl`)) continue;
      const kept = `session-${PAST_MINUTE}-${conversationId.slice(0, ID_CHARS)}.jsonl`;
      // oxlint-disable-next-line no-await-in-loop -- A handful at most.
      await files.rename(posix.join(chats, name), posix.join(chats, kept));
    }
  }
}

async function namesIn(files: VmFiles, folder: string): Promise<string[]> {
  try {
    return await readVmDirectory(files, folder);
  } catch (error) {
    if (isAgentOsError(error, "FILE_SYSTEM")) return [];
    throw error;
  }
}
