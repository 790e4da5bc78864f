import type { SessionVm } from "@agentos/core";
import { AgentOsError, type Content, type ContentPart } from "@agentos/protocol";

import { readVmFile } from "../vm/read-vm-file.ts";

/** Largest image or file in a prompt: what providers take in one request, about. */
const MAX_ATTACHMENT_BYTES = 20 * 1024 * 1024;

const TEXT_TYPES = /^text\/|^application\/(?:json|xml|yaml|toml|javascript)$/;

type Attachment = Exclude<ContentPart, { type: "text" }>;

/** The parts of a prompt with all files read, from the VM where they are there. Rejects with `INVALID_ARGUMENT` or `FILE_SYSTEM`. */
export async function readContent(vm: SessionVm, content: Content): Promise<ContentPart[]> {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return await Promise.all(content.map((part) => readPart(vm, part)));
}

/** The same of a tool's result: what can't be read is said in its place. */
export async function readResult(
  vm: SessionVm,
  content: readonly ContentPart[],
): Promise<ContentPart[]> {
  return await Promise.all(
    content.map(async (part) => {
      try {
        return await readPart(vm, part);
      } catch (error) {
        const why = error instanceof AgentOsError ? error.message : "it could not be read";
        return { type: "text", text: `[an attachment is missing: ${why}]` };
      }
    }),
  );
}

async function readPart(vm: SessionVm, part: ContentPart): Promise<ContentPart> {
  if (part.type === "text") return part;
  const data = await dataOf(vm, part);
  if (!TEXT_TYPES.test(part.mediaType)) return withData(part, data);
  // Not every provider takes a text as a file; each takes it as text.
  const name = part.type === "file" ? (part.name ?? part.path) : part.path;
  const text = Buffer.from(data, "base64").toString("utf8");
  return { type: "text", text: name === undefined ? text : `File ${name}:\n${text}` };
}

function withData(part: Attachment, data: string): ContentPart {
  const { path: _path, ...rest } = part;
  return { ...rest, data };
}

async function dataOf(vm: SessionVm, { data, path }: Attachment): Promise<string> {
  if ((data === undefined) === (path === undefined)) {
    const expected = "data or a path, one of the two";
    const actual = data === undefined ? "neither" : "both";
    const argument = "content";
    const message = `${argument}: an attachment needs ${expected}, got ${actual}`;
    throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
  }
  if (path === undefined) return data ?? "";
  const bytes = await readVmFile(vm.handle().files, path, MAX_ATTACHMENT_BYTES);
  return bytes.toString("base64");
}
