import type { ContentPart } from "@agentos/protocol";

/** Content within `maxBytes`; where it is longer, the first and the last half of what fits. */
export function cutContent(
  content: readonly ContentPart[],
  maxBytes: number,
): { content: ContentPart[]; totalBytes: number; truncated: boolean } {
  const sizes = content.map(sizeOf);
  const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
  if (totalBytes <= maxBytes) return { content: [...content], totalBytes, truncated: false };
  let room = maxBytes;
  const kept = content.flatMap((part, index): ContentPart[] => {
    const size = sizes[index] ?? 0;
    if (size <= room) {
      room -= size;
      return [part];
    }
    const left = room;
    room = 0;
    if (part.type !== "text" || left === 0) return [];
    return [{ type: "text", text: middleOut(part.text, left) }];
  });
  return { content: kept, totalBytes, truncated: true };
}

function sizeOf(part: ContentPart): number {
  return part.type === "text" ? Buffer.byteLength(part.text) : (part.data?.length ?? 0);
}

function middleOut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  const half = Math.floor(maxBytes / 2);
  const dropped = bytes.byteLength - 2 * half;
  const head = bytes.toString("utf8", 0, half).replace(/\uFFFD$/, "");
  const tail = bytes.toString("utf8", bytes.byteLength - half).replace(/^\uFFFD+/, "");
  return `${head}\n[${dropped} bytes left out]\n${tail}`;
}
