import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { Manifest, readManifest } from "./published-packages.ts";
import { writeTarball } from "./write-tarball.ts";

/** A package as it is published. */
export interface Tarball {
  readonly path: string;
  readonly manifest: Manifest;
}

export interface TarballFile {
  /** Below the package's folder. */
  readonly name: string;
  readonly bytes: number;
}

export async function readTarball(path: string): Promise<Tarball> {
  const { stdout } = await execa("tar", ["-xzOf", path, "package/package.json"]);
  return { path, manifest: Manifest.parse(JSON.parse(stdout)) };
}

export async function filesOf(tarball: Tarball): Promise<TarballFile[]> {
  const { stdout } = await execa("tar", ["-tzvf", tarball.path]);
  return stdout.split("\n").map((line) => {
    const found = /^\S+\s+\S+\s+(?<bytes>\d+)\s.*?\spackage\/(?<name>.*)$/.exec(line)?.groups;
    if (found === undefined) throw new Error(`expected a file of the package, got: ${line}`);
    return { name: found["name"] ?? "", bytes: Number(found["bytes"]) };
  });
}

/** The tarball of an installed package, as a registry would have it. */
export async function tarballOf(folder: string, destination: string): Promise<Tarball> {
  const manifest = readManifest(folder);
  const place = await mkdtemp(join(destination, "tarball-"));
  const path = join(place, "package.tgz");
  await writeTarball(folder, path);
  return { path, manifest };
}

/** Another version of a package: its files as `edit` leaves them, its manifest as `manifest` says. */
export async function variantOf(
  tarball: Tarball,
  destination: string,
  manifest: Manifest,
  edit: (folder: string) => Promise<void>,
): Promise<Tarball> {
  const place = await mkdtemp(join(destination, "variant-"));
  await execa("tar", ["-xzf", tarball.path, "-C", place]);
  const folder = join(place, "package");
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await edit(folder);
  return tarballOf(folder, place);
}
