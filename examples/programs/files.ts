import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, isAgentOsError } from "@agentos/client";

const host = await mkdtemp(join(tmpdir(), "agentos-files-"));
try {
  await using os = await AgentOs.create();
  await writeFile(join(host, "notes.txt"), "one\ntwo\nthree\n");

  // A whole directory in, work on it, one file out.
  await os.fs.upload(host, "/workspace/project");
  await os.exec("tac notes.txt > reversed.txt", { cwd: "/workspace/project" });
  await os.fs.download("/workspace/project/reversed.txt", join(host, "reversed.txt"));
  console.log((await readFile(join(host, "reversed.txt"), "utf8")).trim().split("\n").join(" "));

  // The usual operations, with the usual names.
  await os.fs.mkdir("/workspace/a/b", { recursive: true });
  await os.fs.writeFile("/workspace/a/b/c", new Uint8Array(1024));
  await os.fs.rename("/workspace/a/b/c", "/workspace/a/d");
  await os.fs.symlink("d", "/workspace/a/link");
  const { size } = await os.fs.stat("/workspace/a/link");
  console.log(size, (await os.fs.readdir("/workspace/a")).join(" "));

  // Errors carry errno, as Node's own do.
  await os.fs.readFile("/workspace/missing").catch((error: unknown) => {
    if (!isAgentOsError(error, "FILE_SYSTEM")) throw error;
    console.log(error.details.errno);
  });

  // A link that a guest plants leads nowhere on the host: it is resolved in the VM.
  await os.fs.symlink("/etc/shadow", "/workspace/trap");
  console.log(await os.fs.exists("/workspace/trap"));
} finally {
  await rm(host, { recursive: true });
}
