import { randomUUID } from "node:crypto";

import type { SessionVm } from "@agentos/core";
import { AgentOsError, type Content, type ContentPart } from "@agentos/protocol";

import { writeVmFile } from "../vm/write-vm-file.ts";

/** Where what came as bytes is put. */
const ATTACHMENTS = "/tmp/agentos-attachments";

/**
 * A prompt for an agent that takes text only: attachments are files of the VM, and named. Rejects with
 * `INVALID_ARGUMENT` for one that is nowhere, or `FILE_SYSTEM`.
 */
export async function promptText(vm: SessionVm, content: Content): Promise<string> {
  if (typeof content === "string") return content;
  const parts = await Promise.all(content.map((part) => partText(vm, part)));
  return parts.join("\n");
}

async function partText(vm: SessionVm, part: ContentPart): Promise<string> {
  if (part.type === "text") return part.text;
  return `[${part.mediaType}: ${part.path ?? (await writeAttachment(vm, part))}]`;
}

async function writeAttachment(
  vm: SessionVm,
  { data, mediaType }: Exclude<ContentPart, { type: "text" }>,
): Promise<string> {
  if (data === undefined) {
    const argument = "content";
    const expected = "data or a path, one of the two";
    const message = `${argument}: an attachment needs ${expected}, got neither`;
    throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual: "neither" });
  }
  const ending = /\/([a-z0-9]+)$/.exec(mediaType)?.[1] ?? "bin";
  const path = `${ATTACHMENTS}/${randomUUID()}.${ending}`;
  await writeVmFile(vm.handle().files, path, Buffer.from(data, "base64"));
  return path;
}
