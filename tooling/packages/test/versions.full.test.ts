import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { PackedRegistry } from "../src/packed-registry.ts";
import { variantOf } from "../src/tarball.ts";

const START = `import { AgentOs } from "@agentos/client";
try {
  const sidecar = await AgentOs.createSidecar();
  await sidecar.info();
  await sidecar.dispose();
  console.log("works");
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message, details: error.details }));
}
`;

let packed: PackedRegistry;

beforeAll(async () => {
  packed = await PackedRegistry.make();
});

afterAll(async () => {
  await packed?.[Symbol.asyncDispose]();
});

/** Client and protocol as version `version`, which speak `min` to `max` on the wire. */
async function addClient(version: string, min: number, max: number): Promise<void> {
  const protocol = packed.tarball("@agentos/protocol");
  const client = packed.tarball("@agentos/client");
  const changed = await variantOf(
    protocol,
    packed.folder,
    { ...protocol.manifest, version },
    async (folder) => {
      const file = join(folder, "dist", "version.js");
      const text = await readFile(file, "utf8");
      const edited = text
        .replace(/\bPROTOCOL_VERSION = \d+/, `PROTOCOL_VERSION = ${max}`)
        .replace(/OLDEST_PROTOCOL_VERSION = \d+/, `OLDEST_PROTOCOL_VERSION = ${min}`);
      await writeFile(file, edited);
    },
  );
  await packed.registry.add(changed);
  const dependencies = { ...client.manifest.dependencies, "@agentos/protocol": version };
  await packed.registry.add(
    await variantOf(
      client,
      packed.folder,
      { ...client.manifest, version, dependencies },
      async () => {},
    ),
  );
}

describe("another version of a package beside it", () => {
  test("[pack.newer-works] a client of another version that knows the sidecar's protocol works", async () => {
    await addClient("7.0.0", 1, 7);
    await using folder = await packed.install("@agentos/client@7.0.0", "@agentos/sidecar@0");
    await folder.write("start.mjs", START);
    expect((await folder.node(process.execPath, "start.mjs")).stdout).toBe("works");
  });

  test("[pack.newer-refused] one that doesn't is refused by an error that names both", async () => {
    await addClient("9.0.0", 9, 9);
    const words = ["@agentos/client@9.0.0", "@agentos/sidecar@0"];
    await using folder = await packed.install(...words);
    await folder.write("start.mjs", START);
    const { stdout } = await folder.node(process.execPath, "start.mjs");
    const { version } = packed.tarball("@agentos/sidecar").manifest;
    expect(JSON.parse(stdout)).toEqual({
      code: "VERSION_MISMATCH",
      message: `@agentos/client 9.0.0 speaks protocol 9, @agentos/sidecar ${version} speaks 1: install the same version of both, and end the older sidecar with agentos down`,
      details: { offered: "9", supported: "1" },
    });
  });
});
