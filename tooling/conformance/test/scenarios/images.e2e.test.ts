import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { AgentOs } from "@agentos/client";
import { expect, test } from "vitest";

import { makeSmallRoot } from "./small-root.ts";
import { type Member, tarOf } from "./tar-of.ts";
import { useWorld } from "./world.ts";

const world = useWorld();
const small = join(world.directory, "small");
makeSmallRoot(small);

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** An archive of an OCI layout with these layers. */
function ociArchive(
  name: string,
  layers: readonly Uint8Array[],
  change: (members: Member[]) => Member[] = (all) => all,
): string {
  const manifest = JSON.stringify({
    layers: layers.map((layer) => ({ digest: `sha256:${sha256(layer)}` })),
  });
  const blobs = [...layers, Buffer.from(manifest)].map((content) => ({
    name: `blobs/sha256/${sha256(content)}`,
    content,
  }));
  const index = { manifests: [{ digest: `sha256:${sha256(Buffer.from(manifest))}` }] };
  const members = [...blobs, { name: "index.json", content: Buffer.from(JSON.stringify(index)) }];
  const path = join(world.directory, `${name}.tar`);
  writeFileSync(path, tarOf(change(members)));
  return path;
}

/** A layer of what lies in a directory. */
const layerOf = (directory: string): Buffer =>
  execFileSync("tar", ["c", "-C", directory, "."], { maxBuffer: 256 * 1024 * 1024 });

test("[image.directory] [image.named] a VM on a directory has its programs, writes everywhere, and changes nothing of it", async () => {
  await AgentOs.addImage("small", small);
  await expect(AgentOs.addImage("small", small)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  await expect(AgentOs.addImage("host", small)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  const os = await AgentOs.create({ image: "small" });
  expect(
    (await os.exec("cat /etc/from-image; id -un; rm /etc/from-image; echo own > /bin/own")).stdout,
  ).toBe("small\nagent\n");
  await using fork = (await os.fork()).at(0);
  expect((await fork?.exec("cat /bin/own; ls /etc"))?.stdout).toBe(
    "own\ngroup\nhostname\nhosts\npasswd\n",
  );
  await using other = await AgentOs.create({ image: "small" });
  expect((await other.exec("cat /etc/from-image; ls /bin/own")).stdout).toBe("small\n");
  expect(await AgentOs.images()).toMatchObject([
    { name: "host", kind: "host" },
    { name: "small", kind: "directory" },
  ]);
  await expect(AgentOs.removeImage("small")).rejects.toMatchObject({ code: "IN_USE" });
  await Promise.all([os.dispose(), fork?.dispose(), other.dispose()]);
  await AgentOs.removeImage("small");
  await expect(AgentOs.create({ image: "small" })).rejects.toMatchObject({
    code: "IMAGE_NOT_FOUND",
  });
});

test("[image.archive] an archive's layers lie on one another, with what they remove and without set-id bits", async () => {
  const top = tarOf([
    { name: "etc/.wh.from-image" },
    { name: "etc/top", content: Buffer.from("top\n"), mode: 0o4755 },
    { name: "etc/hard", type: "1", target: "etc/top" },
    { name: "lnk", type: "2", target: "etc" },
    { name: "lnk/through", content: Buffer.from("through\n") },
  ]);
  await AgentOs.addImage("archive", ociArchive("layers", [gzipSync(layerOf(small)), top]));
  await using os = await AgentOs.create({ image: "archive" });
  const { stdout } = await os.exec("ls /etc; cat /etc/through /etc/hard; stat -c %a /etc/top");
  expect(stdout).toBe("group\nhard\nhostname\nhosts\npasswd\nthrough\ntop\nthrough\ntop\n755\n");
});

test("[bad.archive] [S17.images] [S18.digests] a hostile archive, or what is no root, is refused, and nothing of it is kept", async () => {
  const empty = join(world.directory, "empty");
  mkdirSync(empty);
  const hostile: Record<string, Member> = {
    absolute: { name: "/etc/owned" },
    dotdot: { name: "../owned" },
    deep: { name: "a/../../owned" },
    "link out": { name: "bin/x", type: "2", target: "../../owned" },
    "hard link out": { name: "bin/x", type: "1", target: "../../../etc/passwd" },
    "hard link to nothing": { name: "bin/x", type: "1", target: "etc/shadow" },
    device: { name: "dev/sda", type: "3" },
    "block device": { name: "dev/sda", type: "4" },
    sparse: { name: "sparse", type: "S" },
    unknown: { name: "unknown", type: "Z" },
    "mark without a name": { name: "etc/.wh." },
  };
  const base = { name: "bin/sh", content: Buffer.from("x") };
  const archives = Object.entries(hostile).map(([name, member]): [string, string] => [
    name,
    ociArchive(name.replaceAll(" ", "-"), [tarOf([base, member])]),
  ]);
  const whole = tarOf([base]);
  archives.push(
    [
      "another content",
      ociArchive("digest", [whole], (all) =>
        all.map((each) =>
          each.content === whole ? { ...each, content: tarOf([{ ...base, mode: 0o700 }]) } : each,
        ),
      ),
    ],
    ["a missing layer", ociArchive("missing", [whole], (all) => all.slice(1))],
    ["a cut layer", ociArchive("cut", [whole.subarray(0, 700)])],
    ["no description", ociArchive("none", [whole], (all) => all.slice(0, 2))],
    ["no root", ociArchive("root", [tarOf([{ name: "file" }])])],
    ["an empty directory", empty],
    ["the host", "/"],
    ["nothing", join(world.directory, "never")],
    ["no file", "/dev/null"],
  );
  for (const [name, path] of archives) {
    // oxlint-disable-next-line no-await-in-loop -- The name is the same.
    const refusal = await AgentOs.addImage("bad", path).then(
      () => "taken",
      (error: unknown) => error,
    );
    expect([name, refusal]).toMatchObject([name, { code: "IMAGE_REFUSED" }]);
  }
  expect((await AgentOs.images()).map(({ name }) => name)).not.toContain("bad");
  const left = execFileSync("find", [world.env["AGENTOS_STATE_DIR"] ?? "", "-name", "*.part"], {
    encoding: "utf8",
  });
  expect(left).toBe("");
});
