import { randomUUID } from "node:crypto";

import type { SessionVm } from "@agentos/core";
import { ByteReader, DEFAULTS } from "@agentos/protocol";

import { versionIn } from "./version.ts";

/** The slowest of the known programs takes 2 s to say it. */
const VERSION_MS = 30_000;
const WORDS_BYTES = 4 * 1024;

/** What `command --version` says, run in the VM; empty where it says none. Rejects as starting a process does. */
export async function programVersion(
  vm: SessionVm,
  command: string,
  { signal }: { signal: AbortSignal },
): Promise<string> {
  let words = "";
  const reader = new ByteReader((bytes) => {
    if (words.length < WORDS_BYTES) words += Buffer.from(bytes).toString("latin1");
  }, "process");
  const process = await vm.handle().startProcess(
    {
      processId: `version-${randomUUID()}`,
      argv: [command, "--version"],
      cwd: "/",
      env: { ...vm.environment, TERM: "dumb" },
      stdin: "none",
      output: "piped",
      windowBytes: DEFAULTS.streamWindowBytes,
      timeoutMs: VERSION_MS,
    },
    reader,
  );
  reader.attach(process);
  const kill = (): void => process.signal("SIGKILL", "session");
  signal.addEventListener("abort", kill, { once: true });
  try {
    const { stdoutBytes, stderrBytes } = await process.exited;
    reader.until({ stdout: stdoutBytes, stderr: stderrBytes });
    await reader.ended;
  } finally {
    signal.removeEventListener("abort", kill);
    process.close();
  }
  signal.throwIfAborted();
  return versionIn(words) ?? "";
}
