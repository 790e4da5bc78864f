import type { ContentPart } from "@agentos/protocol";

import type { HttpAnswer } from "./http-get.ts";

export interface PageBounds {
  /** Bytes of the body that are read at most. */
  readonly maxBytes: number;
  /** Characters of text that are made of it. */
  readonly maxChars: number;
  /** Bytes of an image that can be shown. */
  readonly maxImageBytes: number;
}

export interface Page {
  readonly content: readonly ContentPart[];
  /** The body went on past the bounds. */
  readonly isCut: boolean;
}

const HTML = ["text/html", "application/xhtml+xml"];
const TEXT = /^(?:text\/.*|application\/(?:.*\+)?(?:json|xml|yaml|javascript|x-ndjson))$/;
const IMAGE = /^image\/(?:png|jpeg|gif|webp)$/;

/** What there is to read in an answer: a page's text, plain text, or an image; of anything else, what it is. */
export async function readPage(answer: HttpAnswer, bounds: PageBounds): Promise<Page> {
  const { body, mediaType } = answer;
  try {
    if (IMAGE.test(mediaType)) return await image(answer, bounds.maxImageBytes);
    if (HTML.includes(mediaType))
      return await text(answer, bounds, await htmlWriter(answer, bounds));
    if (mediaType === "" || TEXT.test(mediaType))
      return await text(answer, bounds, plainWriter(bounds));
    return { content: [part(`(it is ${mediaType}, which is no text)`)], isCut: false };
  } finally {
    body.destroy();
  }
}

interface TextWriter {
  readonly isFull: () => boolean;
  readonly write: (text: string) => void;
  readonly end: () => string;
}

async function htmlWriter({ url }: HttpAnswer, { maxChars }: PageBounds): Promise<TextWriter> {
  // Not before the first page: a sidecar starts without the parser.
  const { HtmlText } = await import("./html-text.ts");
  const html = new HtmlText(url.href, maxChars);
  return {
    isFull: () => html.isFull,
    write: (piece) => html.write(piece),
    end: () => html.end(),
  };
}

function plainWriter({ maxChars }: PageBounds): TextWriter {
  let all = "";
  return {
    isFull: () => all.length >= maxChars,
    write: (piece) => {
      all += piece;
    },
    end: () => all.slice(0, maxChars),
  };
}

async function text(answer: HttpAnswer, bounds: PageBounds, writer: TextWriter): Promise<Page> {
  const decoder = decoderOf(answer.charset);
  let bytes = 0;
  let isCut = false;
  for await (const chunk of chunks(answer)) {
    if (bytes === 0 && chunk.includes(0))
      return { content: [part("(it is no text)")], isCut: false };
    bytes += chunk.byteLength;
    writer.write(decoder.decode(chunk, { stream: true }));
    isCut = bytes >= bounds.maxBytes || writer.isFull();
    if (isCut) break;
  }
  writer.write(decoder.decode());
  return { content: [part(writer.end())], isCut };
}

async function image(answer: HttpAnswer, maxBytes: number): Promise<Page> {
  const { mediaType } = answer;
  const all: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks(answer)) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes)
      return { content: [part("(an image, too large to be shown)")], isCut: false };
    all.push(chunk);
  }
  const data = Buffer.concat(all).toString("base64");
  return { content: [{ type: "image", mediaType, data }], isCut: false };
}

async function* chunks({ body }: HttpAnswer): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) if (chunk instanceof Uint8Array) yield chunk;
}

/** An unknown name of a charset is taken for UTF-8, as what nearly every page is. */
function decoderOf(charset = "utf-8"): TextDecoder {
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder();
  }
}

function part(said: string): ContentPart {
  return { type: "text", text: said };
}
