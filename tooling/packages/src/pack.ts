import { delimiter, join } from "node:path";

import { execa } from "execa";

import { type PublishedPackage, publishedPackages, ROOT } from "./published-packages.ts";
import { readTarball, type Tarball } from "./tarball.ts";

const PNPM = join(ROOT, "node_modules", ".bin", "pnpm");
/** At once: packing is mostly waiting for pnpm to start. */
const PACKERS = 3;

/** A package that could not be packed, and its own words why. */
export interface UnpackedPackage {
  readonly published: PublishedPackage;
  readonly reason: string;
}

export interface Packed {
  readonly tarballs: Tarball[];
  readonly unpacked: UnpackedPackage[];
}

/** Packs every published package as `pnpm publish` would, into `destination`. */
export async function packAll(destination: string): Promise<Packed> {
  const waiting = publishedPackages();
  const packed: Packed = { tarballs: [], unpacked: [] };
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      // oxlint-disable-next-line no-await-in-loop -- As many at once as there are of these loops.
      const result = await pack(next, destination);
      if (typeof result === "string") packed.unpacked.push({ published: next, reason: result });
      else packed.tarballs.push(result);
    }
  };
  await Promise.all(Array.from({ length: PACKERS }, work));
  return packed;
}

async function pack(published: PublishedPackage, destination: string): Promise<Tarball | string> {
  const { manifest, folder } = published;
  const words = [PNPM, "pack", "--pack-destination", destination];
  // Its scripts put files into the folder and take them away: another test may pack it too.
  const [program = PNPM, ...args] =
    process.platform === "linux" ? ["flock", join(folder, "package.json"), ...words] : words;
  const { failed, all } = await execa(program, args, {
    cwd: folder,
    env: { PATH: [join(ROOT, "node_modules", ".bin"), process.env["PATH"]].join(delimiter) },
    reject: false,
    all: true,
  });
  if (failed) return reasonOf(manifest.name, all);
  const file = `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`;
  return readTarball(join(destination, file));
}

/** The line that the package's own script says it in, or all that pnpm said. */
function reasonOf(name: string, output: string): string {
  const line = output.split("\n").find((text) => text.includes(`${name} can't be packed: `));
  return line?.slice(line.indexOf("can't be packed: ") + "can't be packed: ".length) ?? output;
}
