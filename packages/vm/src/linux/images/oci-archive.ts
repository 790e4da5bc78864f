import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";

import * as z from "zod";

import { ByteSource } from "./byte-source.ts";
import { type ImageBounds, ImageRoot } from "./image-root.ts";
import { TarError, TarReader } from "./tar-reader.ts";

const MAX_MEMBERS = 4_096;
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MAX_NESTING = 3;
/** The layers that may make up one image. */
const MAX_LAYERS = 256;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "expected a sha256 digest");
const Descriptor = z.object({
  digest: Digest,
  platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
});
const Document = z.object({
  manifests: z.array(Descriptor).max(64).optional(),
  layers: z.array(Descriptor).max(MAX_LAYERS).optional(),
});
const DockerManifest = z
  .array(z.object({ Config: z.string(), Layers: z.array(z.string()).max(MAX_LAYERS) }))
  .min(1)
  .max(64);
const DockerConfig = z.object({ rootfs: z.object({ diff_ids: z.array(Digest) }) });

interface Layer {
  readonly path: string;
  /** Of the file as it is, or of what is in it once it is decompressed. */
  readonly digest: string;
  readonly isOfContent: boolean;
}

/** Unpacks an archive of `docker save`, or of an OCI layout, into an empty directory. Throws `TarError`. */
export async function unpackArchive(
  archive: string,
  root: string,
  bounds: ImageBounds,
): Promise<void> {
  const members = join(root, ".members");
  await mkdir(members);
  const names = await extractMembers(archive, members, bounds);
  const image = new ImageRoot(root, bounds);
  for (const layer of await layersOf(names)) {
    // oxlint-disable-next-line no-await-in-loop -- Each lies on the one before.
    await unpackLayer(layer, image);
  }
  await rm(members, { recursive: true });
}

/** Its files, under names of our own. */
async function extractMembers(
  archive: string,
  directory: string,
  bounds: ImageBounds,
): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const reader = new TarReader(new ByteSource(decompressed(archive, await kindOf(archive))));
  let left = bounds.bytes;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- In the order of the archive.
    const entry = await reader.next();
    if (entry === undefined) return names;
    if (entry.type !== "file" && entry.type !== "symlink") continue;
    if (entry.type === "symlink") throw new TarError(`a link beside the layers: ${entry.name}`);
    left -= entry.size;
    if (left < 0 || names.size >= MAX_MEMBERS) throw new TarError("more than an image may have");
    const path = join(directory, String(names.size));
    // oxlint-disable-next-line no-await-in-loop -- As above.
    await pipeline(contentOf(reader), createWriteStream(path, { flags: "wx", mode: 0o600 }));
    names.set(entry.name.replace(/^(\.\/)+/, ""), path);
  }
}

async function* contentOf(reader: TarReader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const piece = await reader.read();
    if (piece === undefined) return;
    yield piece;
  }
}

async function layersOf(names: ReadonlyMap<string, string>): Promise<Layer[]> {
  const index = names.get("index.json");
  if (index !== undefined) return await ociLayers(names, await documentAt(index, Document), 0);
  const manifest = names.get("manifest.json");
  if (manifest === undefined) throw new TarError("neither index.json nor manifest.json is in it");
  return await dockerLayers(names, manifest);
}

async function ociLayers(
  names: ReadonlyMap<string, string>,
  document: z.output<typeof Document>,
  depth: number,
): Promise<Layer[]> {
  if (document.layers !== undefined)
    return document.layers.map(({ digest }) => ({
      path: blobAt(names, digest),
      digest,
      isOfContent: false,
    }));
  const all = document.manifests ?? [];
  const architecture = ARCHITECTURES[process.arch];
  const own = all.find(
    ({ platform }) => platform?.os === "linux" && platform.architecture === architecture,
  );
  const chosen = own ?? all.find(({ platform }) => platform === undefined);
  if (chosen === undefined)
    throw new TarError(`no image for linux and ${architecture ?? process.arch} is in it`);
  if (depth >= MAX_NESTING) throw new TarError("lists of images in one another");
  const path = blobAt(names, chosen.digest);
  if ((await digestOf(createReadStream(path))) !== chosen.digest) throw mismatch(chosen.digest);
  return await ociLayers(names, await documentAt(path, Document), depth + 1);
}

async function dockerLayers(
  names: ReadonlyMap<string, string>,
  manifestPath: string,
): Promise<Layer[]> {
  const [manifest] = await documentAt(manifestPath, DockerManifest);
  if (manifest === undefined) throw new TarError("manifest.json names no image");
  const config = await documentAt(memberAt(names, manifest.Config), DockerConfig);
  const { diff_ids: digests } = config.rootfs;
  if (digests.length !== manifest.Layers.length)
    throw new TarError("its layers and their digests don't match");
  return manifest.Layers.map((name, at) => ({
    path: memberAt(names, name),
    digest: digests[at] ?? "",
    isOfContent: true,
  }));
}

async function unpackLayer(layer: Layer, image: ImageRoot): Promise<void> {
  const { path, digest, isOfContent } = layer;
  if (!isOfContent && (await digestOf(createReadStream(path))) !== digest) throw mismatch(digest);
  const kind = await kindOf(path);
  if (isOfContent && (await digestOf(decompressed(path, kind))) !== digest) throw mismatch(digest);
  await image.unpack(new TarReader(new ByteSource(decompressed(path, kind))));
}

async function documentAt<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const { size } = await stat(path);
  if (size > MAX_DOCUMENT_BYTES) throw new TarError("a description that is too long");
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    throw new TarError("a description that can't be read");
  }
}

function blobAt(names: ReadonlyMap<string, string>, digest: string): string {
  return memberAt(names, `blobs/${digest.replace(":", "/")}`);
}

function memberAt(names: ReadonlyMap<string, string>, name: string): string {
  const path = names.get(name);
  if (path === undefined) throw new TarError(`a part is missing: ${name}`);
  return path;
}

async function digestOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of stream) hash.update(piece);
  return `sha256:${hash.digest("hex")}`;
}

type Compression = "none" | "gzip" | "zstd";

async function kindOf(path: string): Promise<Compression> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
  const magic = buffer.toString("hex", 0, bytesRead);
  if (magic.startsWith("1f8b")) return "gzip";
  return magic === "28b52ffd" ? "zstd" : "none";
}

function decompressed(path: string, kind: Compression): Readable {
  const file = createReadStream(path);
  if (kind === "none") return file;
  const through = kind === "gzip" ? createGunzip() : createZstdDecompress();
  file.on("error", (error) => through.destroy(error));
  through.on("close", () => file.destroy());
  return file.pipe(through);
}

function mismatch(digest: string): TarError {
  return new TarError(`a part has another content than its digest says: ${digest}`);
}
